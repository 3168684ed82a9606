-- Times are milliseconds of the Unix epoch, 0 is none. Statuses are the rules' numbers.
-- Names sort bytewise, as cursors do.

CREATE SEQUENCE serials; -- orders memberships and jobs: a snapshot job takes what came before it

CREATE TABLE things (
	id         bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	name       text COLLATE "C" NOT NULL UNIQUE,
	uuid       text NOT NULL,
	type       text NOT NULL,
	billing    text NOT NULL,
	attributes text NOT NULL, -- a JSON object, '' = none
	version    bigint NOT NULL,
	created    bigint NOT NULL,
	deleted    boolean NOT NULL
);

CREATE TABLE groups (
	id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	name        text COLLATE "C" NOT NULL,
	uuid        text NOT NULL,
	parent      bigint NOT NULL, -- 0 = at the root
	above       bigint[] NOT NULL, -- its ancestors, the parent first
	description text NOT NULL,
	attributes  text NOT NULL,
	version     bigint NOT NULL,
	created     bigint NOT NULL,
	state       smallint NOT NULL -- 0 live, 1 ending, 2 ended
);
CREATE UNIQUE INDEX groups_name ON groups (name) WHERE state = 0;
CREATE INDEX groups_parent ON groups (parent);
CREATE INDEX groups_above ON groups USING gin (above);

CREATE TABLE members (
	grp    bigint NOT NULL,
	thing  bigint NOT NULL,
	serial bigint NOT NULL,
	PRIMARY KEY (grp, thing)
);
CREATE INDEX members_thing ON members (thing, grp);

CREATE TABLE jobs (
	seq       bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	id        text COLLATE "C" NOT NULL UNIQUE,
	version   bigint NOT NULL,
	status    smallint NOT NULL,
	selection smallint NOT NULL,
	sweep     smallint NOT NULL,
	namespace text NOT NULL,
	active    boolean NOT NULL,
	created   bigint NOT NULL,
	ended     bigint NOT NULL,
	serial    bigint NOT NULL,
	record    text NOT NULL -- the whole job, JSON
);
CREATE INDEX jobs_active ON jobs (seq) WHERE active;

CREATE TABLE targets (
	job      bigint NOT NULL,
	position bigint NOT NULL,
	is_group boolean NOT NULL,
	ref      bigint NOT NULL, -- things.id or groups.id
	PRIMARY KEY (job, position)
);
CREATE INDEX targets_ref ON targets (ref, is_group, job);

-- What has been done for a job. Apart from the job, which devices' reads look at.
CREATE TABLE progress (
	job         bigint PRIMARY KEY,
	notified    bigint NOT NULL,
	chunks      bigint NOT NULL,
	started     boolean NOT NULL,
	done        boolean NOT NULL,
	swept       boolean NOT NULL,
	pace        bigint NOT NULL,
	target      bigint NOT NULL,
	at_group    bigint NOT NULL,
	at_thing    bigint NOT NULL,
	sweep_thing bigint NOT NULL
) WITH (fillfactor = 50);

-- Executions by status, in shards: whoever writes adds to a shard of its own, so that two reports do not wait for each
-- other.
CREATE TABLE counts (
	job   bigint NOT NULL,
	shard smallint NOT NULL,
	c0 bigint NOT NULL, c1 bigint NOT NULL, c2 bigint NOT NULL, c3 bigint NOT NULL,
	c4 bigint NOT NULL, c5 bigint NOT NULL, c6 bigint NOT NULL, c7 bigint NOT NULL,
	PRIMARY KEY (job, shard)
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0.02);

-- The hot table: a thing's latest execution of a job. No index on what changes, so that updates are HOT.
CREATE TABLE executions (
	thing           bigint NOT NULL,
	job             bigint NOT NULL,
	number          bigint NOT NULL,
	version         bigint NOT NULL,
	status          smallint NOT NULL,
	forced          boolean NOT NULL,
	retry           integer NOT NULL,
	retry_timed_out integer NOT NULL,
	queued          bigint NOT NULL,
	started         bigint NOT NULL,
	updated         bigint NOT NULL,
	deadline        bigint NOT NULL,
	step            bigint NOT NULL,
	details         text NOT NULL,
	PRIMARY KEY (thing, job)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX executions_job ON executions (job, thing);

CREATE TABLE attempts ( -- executions that others superseded
	thing           bigint NOT NULL,
	job             bigint NOT NULL,
	number          bigint NOT NULL,
	version         bigint NOT NULL,
	status          smallint NOT NULL,
	forced          boolean NOT NULL,
	retry           integer NOT NULL,
	retry_timed_out integer NOT NULL,
	queued          bigint NOT NULL,
	started         bigint NOT NULL,
	updated         bigint NOT NULL,
	deadline        bigint NOT NULL,
	step            bigint NOT NULL,
	details         text NOT NULL,
	PRIMARY KEY (thing, job, number)
);

CREATE TABLE timers (
	thing bigint NOT NULL,
	job   bigint NOT NULL,
	due   bigint NOT NULL,
	PRIMARY KEY (thing, job)
);
CREATE INDEX timers_due ON timers (due, thing);

-- A line each time an execution ends. Insert only.
CREATE TABLE ended (
	job    bigint NOT NULL,
	status smallint NOT NULL,
	thing  bigint NOT NULL,
	number bigint NOT NULL,
	reason text NOT NULL,
	PRIMARY KEY (job, status, thing, number)
);
CREATE INDEX ended_reason ON ended (job, status, left(reason, 100), thing) WHERE reason <> ''; -- an index takes no text of any length

-- How many of a job's executions ended with a reason, in shards as counts are. Those that ended without one are the rest
-- of counts. Lines that were superseded do not count.
CREATE TABLE reasons (
	job    bigint NOT NULL,
	status smallint NOT NULL,
	reason text COLLATE "C" NOT NULL, -- not ''
	hash   text COLLATE "C" GENERATED ALWAYS AS (md5(reason)) STORED, -- an index takes no text of any length
	shard  smallint NOT NULL,
	n      bigint NOT NULL,
	PRIMARY KEY (job, status, hash, shard)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

CREATE TABLE kept ( -- opaque values: templates, tags, documents, secrets, signatures
	space text COLLATE "C" NOT NULL,
	key   text COLLATE "C" NOT NULL,
	value bytea NOT NULL,
	PRIMARY KEY (space, key)
);

CREATE TABLE leases (
	name   text PRIMARY KEY,
	holder text NOT NULL,
	term   bigint NOT NULL,
	until  timestamptz NOT NULL
);

-- What was committed, for the other gateways. The order is (xid, id, place in payloads): below the oldest transaction that
-- runs, no entry is added any more. A row has entries of one job that were committed together; it is never compressed.
CREATE TABLE feed (
	xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
	id       bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
	at       timestamptz NOT NULL DEFAULT clock_timestamp(),
	job      bigint NOT NULL,
	origin   text NOT NULL,
	payloads bytea[] NOT NULL,
	PRIMARY KEY (xid, id)
) WITH (toast_tuple_target = 8160);

CREATE TABLE feed_pruned ( -- one row: the last entry that was dropped
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	xid xid8 NOT NULL,
	id  bigint NOT NULL
);
INSERT INTO feed_pruned (xid, id) VALUES ('0', 0);
