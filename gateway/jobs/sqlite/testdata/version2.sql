-- A store as the version before the rules were separated from the engine wrote it: PRAGMA user_version = 2.
CREATE TABLE attempts ( -- executions that others superseded
	job             INTEGER NOT NULL,
	thing           INTEGER NOT NULL,
	number          INTEGER NOT NULL,
	version         INTEGER NOT NULL,
	status          INTEGER NOT NULL,
	retry           INTEGER NOT NULL,
	retry_timed_out INTEGER NOT NULL,
	forced          INTEGER NOT NULL,
	queued          INTEGER NOT NULL,
	started         INTEGER NOT NULL,
	updated         INTEGER NOT NULL,
	deadline        INTEGER NOT NULL,
	step            INTEGER NOT NULL,
	details         TEXT NOT NULL,
	PRIMARY KEY (job, thing, number)
) WITHOUT ROWID;
INSERT INTO "attempts" VALUES(1,2,1,2,3,0,0,0,1772366400250,1772366460250,1772366460250,0,0,'{"reason":"disk is full"}');
CREATE TABLE documents (
	job      INTEGER PRIMARY KEY,
	document TEXT NOT NULL
);
INSERT INTO "documents" VALUES(1,'{"for":"open"}');
INSERT INTO "documents" VALUES(2,'{"for":"slow"}');
INSERT INTO "documents" VALUES(3,'{"for":"done"}');
INSERT INTO "documents" VALUES(4,'{"for":"canceled"}');
INSERT INTO "documents" VALUES(5,'{"for":"named"}');
INSERT INTO "documents" VALUES(6,'{"for":"later"}');
CREATE TABLE executions (
	job             INTEGER NOT NULL,
	thing           INTEGER NOT NULL,
	number          INTEGER NOT NULL,
	version         INTEGER NOT NULL,
	status          INTEGER NOT NULL,
	retry           INTEGER NOT NULL,
	retry_timed_out INTEGER NOT NULL,
	forced          INTEGER NOT NULL,
	queued          INTEGER NOT NULL,
	started         INTEGER NOT NULL,
	updated         INTEGER NOT NULL,
	deadline        INTEGER NOT NULL,
	step            INTEGER NOT NULL,
	details         TEXT NOT NULL,
	PRIMARY KEY (job, thing)
) WITHOUT ROWID;
INSERT INTO "executions" VALUES(1,1,1,2,1,0,0,0,1772366400250,1772366460250,1772366460250,1772368260250,0,'{"step":"1"}');
INSERT INTO "executions" VALUES(1,2,2,1,0,1,0,0,1772366460250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(1,3,1,2,2,0,0,0,1772366400250,1772366460250,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(1,4,1,2,5,0,0,0,1772366400250,0,1772366460250,0,0,'{"reason":"not mine"}');
INSERT INTO "executions" VALUES(1,5,1,1,0,0,0,0,1772366400250,0,1772366400250,0,0,'');
INSERT INTO "executions" VALUES(1,6,1,1,0,0,0,0,1772366400250,0,1772366400250,0,0,'');
INSERT INTO "executions" VALUES(1,7,1,1,0,0,0,0,1772366400250,0,1772366400250,0,0,'');
INSERT INTO "executions" VALUES(1,8,1,1,0,0,0,0,1772366400250,0,1772366400250,0,0,'');
INSERT INTO "executions" VALUES(1,9,1,1,0,0,0,0,1772366400250,0,1772366400250,0,0,'');
INSERT INTO "executions" VALUES(1,10,1,2,6,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(2,1,1,1,0,0,0,0,1772366400250,0,1772366400250,0,0,'');
INSERT INTO "executions" VALUES(2,2,1,1,0,0,0,0,1772366460250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(3,1,1,2,2,0,0,0,1772366400250,1772366460250,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(3,11,1,2,3,0,0,0,1772366400250,1772366460250,1772366460250,0,0,'{"reason":"power"}');
INSERT INTO "executions" VALUES(4,1,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,2,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,3,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,4,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,5,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,6,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,7,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,8,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,9,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(4,10,1,2,7,0,0,0,1772366400250,0,1772366460250,0,0,'');
INSERT INTO "executions" VALUES(5,12,1,1,0,0,0,0,1772366400250,0,1772366400250,0,0,'');
CREATE TABLE groups (
	id          INTEGER PRIMARY KEY AUTOINCREMENT,
	name        TEXT NOT NULL,
	uuid        TEXT NOT NULL,
	parent      INTEGER NOT NULL, -- 0 = at the root
	description TEXT NOT NULL,
	attributes  TEXT NOT NULL,
	version     INTEGER NOT NULL,
	created     INTEGER NOT NULL,
	deleted     INTEGER NOT NULL DEFAULT 0 -- 1: its memberships are being ended
);
INSERT INTO "groups" VALUES(1,'all','97bce918-c134-48c2-9338-29eb3704e3e8',0,'of all','',1,1772366400250,0);
INSERT INTO "groups" VALUES(2,'some','e61da860-af79-4e0a-a556-41edfe6a58f0',1,'of some','',1,1772366400250,0);
INSERT INTO "groups" VALUES(3,'gone','2da4ba7e-dee3-46cf-8cec-28ad5d630a2d',0,'of gone','',1,1772366400250,2);
CREATE TABLE jobs (
	seq       INTEGER PRIMARY KEY AUTOINCREMENT,
	id        TEXT NOT NULL UNIQUE,
	version   INTEGER NOT NULL,
	status    INTEGER NOT NULL,
	selection INTEGER NOT NULL,
	sweep     INTEGER NOT NULL,
	namespace TEXT NOT NULL,
	record    TEXT NOT NULL, -- the whole job, JSON
	serial    INTEGER NOT NULL,
	-- what has been done for it
	c0 INTEGER NOT NULL DEFAULT 0, c1 INTEGER NOT NULL DEFAULT 0, c2 INTEGER NOT NULL DEFAULT 0,
	c3 INTEGER NOT NULL DEFAULT 0, c4 INTEGER NOT NULL DEFAULT 0, c5 INTEGER NOT NULL DEFAULT 0,
	c6 INTEGER NOT NULL DEFAULT 0, c7 INTEGER NOT NULL DEFAULT 0, -- executions by status
	notified  INTEGER NOT NULL DEFAULT 0,
	chunks    INTEGER NOT NULL DEFAULT 0,
	started   INTEGER NOT NULL DEFAULT 0,
	done      INTEGER NOT NULL DEFAULT 0,
	swept     INTEGER NOT NULL DEFAULT 0,
	pace      INTEGER NOT NULL DEFAULT 0,
	-- where the rollout and the sweep are
	target      INTEGER NOT NULL DEFAULT 0,
	at_group    INTEGER NOT NULL DEFAULT 0,
	at_thing    INTEGER NOT NULL DEFAULT 0,
	sweep_thing INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "jobs" VALUES(1,'open',1,2,2,0,'','{"id":"open","version":1,"status":2,"selection":2,"targets":[{"group":true,"name":"all"}],"timeout":{"inProgressTimeoutInMinutes":30},"retry":{"criteriaList":[{"failureType":"ALL","numberOfRetries":2}]},"createdAt":"2026-03-01T12:00:00.25Z","updatedAt":"2026-03-01T12:00:00.25Z"}',11,6,1,1,0,0,1,1,0,10,1,1,1,0,1772366400250,1,0,0,0);
INSERT INTO "jobs" VALUES(2,'slow',1,2,1,0,'','{"id":"slow","version":1,"status":2,"selection":1,"targets":[{"group":true,"name":"all"}],"rollout":{"maximumPerMinute":1},"createdAt":"2026-03-01T12:00:00.25Z","updatedAt":"2026-03-01T12:00:00.25Z"}',11,2,0,0,0,0,0,0,0,2,2,1,0,0,1772366460250,0,1,2,0);
INSERT INTO "jobs" VALUES(3,'done',2,3,1,0,'','{"id":"done","version":2,"status":3,"selection":1,"targets":[{"name":"t00"},{"name":"t10"}],"createdAt":"2026-03-01T12:00:00.25Z","updatedAt":"2026-03-01T12:01:00.25Z","completedAt":"2026-03-01T12:01:00.25Z"}',11,0,0,1,1,0,0,0,0,2,1,1,1,0,1772366400250,2,0,0,0);
INSERT INTO "jobs" VALUES(4,'canceled',3,4,1,0,'','{"id":"canceled","version":3,"status":4,"selection":1,"targets":[{"group":true,"name":"all"}],"reasonCode":"WHY","createdAt":"2026-03-01T12:00:00.25Z","updatedAt":"2026-03-01T12:01:00.25Z","completedAt":"2026-03-01T12:01:00.25Z","stopped":true}',11,0,0,0,0,0,0,0,10,10,1,1,1,0,1772366400250,1,0,0,0);
INSERT INTO "jobs" VALUES(5,'named',1,2,1,0,'','{"id":"named","version":1,"status":2,"selection":1,"targets":[{"group":true,"name":"gone"}],"createdAt":"2026-03-01T12:00:00.25Z","updatedAt":"2026-03-01T12:00:00.25Z"}',11,1,0,0,0,0,0,0,0,1,1,1,1,0,1772366400250,1,0,0,0);
INSERT INTO "jobs" VALUES(6,'later',1,1,1,0,'n','{"id":"later","version":1,"status":1,"selection":1,"targets":[{"group":true,"name":"all"}],"namespaceId":"n","scheduling":{"startTime":"2026-03-02 10:00"},"createdAt":"2026-03-01T12:00:00.25Z","updatedAt":"2026-03-01T12:00:00.25Z"}',11,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0);
CREATE TABLE members (
	grp    INTEGER NOT NULL,
	thing  INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	PRIMARY KEY (grp, thing)
) WITHOUT ROWID;
INSERT INTO "members" VALUES(1,1,1);
INSERT INTO "members" VALUES(1,2,2);
INSERT INTO "members" VALUES(1,3,3);
INSERT INTO "members" VALUES(1,4,4);
INSERT INTO "members" VALUES(1,5,5);
INSERT INTO "members" VALUES(1,6,6);
INSERT INTO "members" VALUES(2,7,7);
INSERT INTO "members" VALUES(2,8,8);
INSERT INTO "members" VALUES(2,9,9);
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('serial',12);
CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "secrets" VALUES('one',X'00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF');
CREATE TABLE tags (
	kind  TEXT NOT NULL,
	name  TEXT NOT NULL,
	key   TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (kind, name, key)
) WITHOUT ROWID;
INSERT INTO "tags" VALUES('job','canceled','job','canceled');
INSERT INTO "tags" VALUES('job','done','job','done');
INSERT INTO "tags" VALUES('job','later','job','later');
INSERT INTO "tags" VALUES('job','named','job','named');
INSERT INTO "tags" VALUES('job','open','job','open');
INSERT INTO "tags" VALUES('job','slow','job','slow');
INSERT INTO "tags" VALUES('jobtemplate','template','a','b');
INSERT INTO "tags" VALUES('thinggroup','all','k','v all');
INSERT INTO "tags" VALUES('thinggroup','some','k','v some');
CREATE TABLE targets (
	job      INTEGER NOT NULL,
	position INTEGER NOT NULL,
	is_group INTEGER NOT NULL,
	ref      INTEGER NOT NULL, -- things.id or groups.id
	PRIMARY KEY (job, position)
) WITHOUT ROWID;
INSERT INTO "targets" VALUES(3,0,0,1);
INSERT INTO "targets" VALUES(3,1,0,11);
INSERT INTO "targets" VALUES(1,0,1,1);
INSERT INTO "targets" VALUES(2,0,1,1);
INSERT INTO "targets" VALUES(4,0,1,1);
INSERT INTO "targets" VALUES(6,0,1,1);
INSERT INTO "targets" VALUES(5,0,1,3);
CREATE TABLE templates (
	id       TEXT PRIMARY KEY,
	record   TEXT NOT NULL -- JSON
) WITHOUT ROWID;
INSERT INTO "templates" VALUES('template','{"id":"template","description":"of before","document":"{}","createdAt":"2026-03-01T12:01:00.25Z"}');
CREATE TABLE things (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	name       TEXT NOT NULL UNIQUE,
	uuid       TEXT NOT NULL,
	type       TEXT NOT NULL,
	billing    TEXT NOT NULL,
	attributes TEXT NOT NULL, -- JSON, '' = none
	version    INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	deleted    INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "things" VALUES(1,'t00','c1fff155-78fe-41fd-85c4-6ecf7ba4e058','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(2,'t01','b0497ddd-882b-4b93-98fd-4760612520fb','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(3,'t02','a27027f0-d316-4de7-bdba-1d2eab9d1f87','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(4,'t03','9bb6d431-9160-4403-9b00-48c4e1a2ab86','sensor','','{"colour":"red"}',1,1772366400250,0);
INSERT INTO "things" VALUES(5,'t04','25ec559f-00b4-49c3-9e5e-d4a5d16a1ebd','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(6,'t05','d2073d09-03ee-4e35-9998-fee324c0c28b','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(7,'t06','c8f9858e-ec18-454a-a5ef-991cf2abbe32','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(8,'t07','7ba7fd15-8303-412d-aeb5-9158622e2c49','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(9,'t08','0e170a9e-4d07-45f7-bc34-33ab6892e563','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(10,'t09','60eaa07a-ae0d-4ed6-a13c-dc443dfac762','sensor','','',1,1772366400250,1);
INSERT INTO "things" VALUES(11,'t10','9f447cf6-14fc-400e-8c13-79d79f04688d','sensor','','',1,1772366400250,0);
INSERT INTO "things" VALUES(12,'t11','59fbba2e-2d91-4054-a436-e92298d123ce','sensor','','',1,1772366400250,0);
CREATE INDEX things_deleted ON things (id) WHERE deleted = 1;
CREATE UNIQUE INDEX groups_name ON groups (name) WHERE deleted = 0;
CREATE INDEX groups_parent ON groups (parent);
CREATE INDEX groups_deleted ON groups (id) WHERE deleted = 1;
CREATE INDEX members_thing ON members (thing, grp);
CREATE INDEX jobs_active ON jobs (seq) WHERE status IN (1, 2, 5) OR sweep <> 0 OR c0 + c1 > 0;
CREATE INDEX targets_ref ON targets (is_group, ref, job);
CREATE INDEX executions_thing ON executions (thing);
CREATE INDEX attempts_thing ON attempts (thing);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('things',12);
INSERT INTO "sqlite_sequence" VALUES('groups',3);
INSERT INTO "sqlite_sequence" VALUES('jobs',6);
PRAGMA application_id = 1784833908;
PRAGMA user_version = 2;
