package dbfile

import (
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"jobgate/gateway/jobs/engine"
)

// applicationID marks the files of this store (PRAGMA application_id): "jbgt".
const applicationID = 0x6a626774

// migrations migrate a store from one version to the next; PRAGMA user_version is their number. A migration that was
// released, or run by an earlier build, is never changed. (So the index of version 5 may exist in version 4.)
//
// Times are milliseconds, 0 is none. executions is the hot table: its key is (job, thing), so a rollout appends to it
// and a sweep reads it in order. It has no index on status, because the counts are in jobs. A deleted thing's row is kept,
// marked deleted, while executions refer to it.
var migrations = []string{`
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('serial', 0); -- orders memberships and jobs: a snapshot job takes what came before it

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
CREATE INDEX things_deleted ON things (id) WHERE deleted = 1;

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
CREATE UNIQUE INDEX groups_name ON groups (name) WHERE deleted = 0;
CREATE INDEX groups_parent ON groups (parent);
CREATE INDEX groups_deleted ON groups (id) WHERE deleted = 1;

CREATE TABLE members (
	grp    INTEGER NOT NULL,
	thing  INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	PRIMARY KEY (grp, thing)
) WITHOUT ROWID;
CREATE INDEX members_thing ON members (thing, grp);

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
CREATE INDEX jobs_active ON jobs (seq) WHERE status IN (1, 2, 5) OR sweep <> 0 OR c0 + c1 > 0;

CREATE TABLE documents (
	job      INTEGER PRIMARY KEY,
	document TEXT NOT NULL
);

CREATE TABLE targets (
	job      INTEGER NOT NULL,
	position INTEGER NOT NULL,
	is_group INTEGER NOT NULL,
	ref      INTEGER NOT NULL, -- things.id or groups.id
	PRIMARY KEY (job, position)
) WITHOUT ROWID;
CREATE INDEX targets_ref ON targets (is_group, ref, job);

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
CREATE INDEX executions_thing ON executions (thing);

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
CREATE INDEX attempts_thing ON attempts (thing);

CREATE TABLE templates (
	id       TEXT PRIMARY KEY,
	record   TEXT NOT NULL -- JSON
) WITHOUT ROWID;

CREATE TABLE tags (
	kind  TEXT NOT NULL,
	name  TEXT NOT NULL,
	key   TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (kind, name, key)
) WITHOUT ROWID;
`, `
CREATE TABLE secrets (
	name  TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;
`, `
CREATE TABLE vals ( -- documents, templates, tags, secrets: what the engine does not look into
	space TEXT NOT NULL,
	key   TEXT NOT NULL,
	value BLOB NOT NULL,
	PRIMARY KEY (space, key)
) WITHOUT ROWID;
INSERT INTO vals SELECT 'document', CAST(job AS TEXT), CAST(document AS BLOB) FROM documents;
INSERT INTO vals SELECT 'template', id, CAST(record AS BLOB) FROM templates;
INSERT INTO vals SELECT 'tag/' || kind || '/' || name, key, CAST(value AS BLOB) FROM tags;
INSERT INTO vals SELECT 'secret', name, value FROM secrets;
DROP TABLE documents;
DROP TABLE templates;
DROP TABLE tags;
DROP TABLE secrets;

ALTER TABLE jobs ADD COLUMN active INTEGER NOT NULL DEFAULT 0; -- it has work before it
ALTER TABLE jobs ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET active = status IN (1, 2, 5) OR sweep <> 0,
	created = coalesce(CAST(round(1000 * unixepoch(json_extract(record, '$.createdAt'), 'subsec')) AS INTEGER), 0),
	ended = coalesce(CAST(round(1000 * unixepoch(json_extract(record, '$.completedAt'), 'subsec')) AS INTEGER), 0);
DROP INDEX jobs_active;
CREATE INDEX jobs_active ON jobs (seq) WHERE active = 1;
CREATE INDEX jobs_shown ON jobs (seq) WHERE active = 1 OR c0 + c1 > 0;

ALTER TABLE executions ADD COLUMN reason TEXT NOT NULL DEFAULT ''; -- why it ended
ALTER TABLE attempts ADD COLUMN reason TEXT NOT NULL DEFAULT '';
UPDATE executions SET reason = substr(coalesce(json_extract(details, '$.reason'), ''), 1, 256)
	WHERE status > 1 AND details LIKE '%"reason"%';
UPDATE attempts SET reason = substr(coalesce(json_extract(details, '$.reason'), ''), 1, 256)
	WHERE status > 1 AND details LIKE '%"reason"%';
`, `
CREATE INDEX executions_unsuccessful ON executions (job, thing, status, number, reason) WHERE status > 2; -- ended otherwise
`, `
CREATE INDEX IF NOT EXISTS executions_reasons ON executions (job, status, reason) WHERE status > 2;
`, `
CREATE TABLE reasons ( -- how many of a job's executions ended with a reason; those without one are the rest of its counts
	job    INTEGER NOT NULL,
	status INTEGER NOT NULL,
	reason TEXT NOT NULL, -- not ''
	n      INTEGER NOT NULL,
	PRIMARY KEY (job, status, reason)
) WITHOUT ROWID;
` + SumReasons + `;
DROP INDEX executions_reasons;
`}

// SumReasons fills the table reasons.
const SumReasons = "INSERT INTO reasons (job, status, reason, n) " + sumsOfReasons

const sumsOfReasons = "SELECT job, status, reason, count(*) FROM executions WHERE status > 1 AND reason <> '' GROUP BY job, status, reason"

// sources are the tables of package engine that this schema stores differently.
var sources = map[string]string{
	"groups": "(SELECT *, deleted AS state FROM groups)",
	"values": "(SELECT * FROM vals WHERE space <> '" + engine.CopySpace + "')",
	"last": `(SELECT name, seq AS number FROM sqlite_sequence WHERE name IN ('things', 'groups', 'jobs')
		UNION ALL SELECT 'serials', value FROM meta WHERE name = 'serial')`,
}

// Source is the FROM clause for a table of package engine.
func Source(table string) string {
	if from, ok := sources[table]; ok {
		return from
	}
	return table
}

// Version returns the version of a store, 0 if it is empty. It refuses a file that is not a store of this program, and a
// store that is newer than this program.
func Version(c *sqlite.Conn) (int64, error) {
	id, err := number(c, "PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	version, err := number(c, "PRAGMA user_version")
	if err != nil {
		return 0, err
	}
	switch {
	case id != applicationID && (id != 0 || version != 0 || !empty(c)):
		return 0, fmt.Errorf("the file is a database of another program: name another file")
	case version > int64(len(migrations)):
		return 0, fmt.Errorf("version %d, this program knows %d: %w", version, len(migrations), engine.ErrNewer)
	}
	return version, nil
}

// Migrate migrates the store to this program's version.
func Migrate(c *sqlite.Conn) error { return MigrateTo(c, len(migrations)) }

// MigrateTo migrates a store to a later version; 1 is the first.
func MigrateTo(c *sqlite.Conn, to int) error {
	version, err := Version(c)
	if err != nil {
		return err
	}
	for ; version < int64(to); version++ {
		script := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d;", migrations[version], applicationID, version+1)
		if err := sqlitex.ExecuteScript(c, script, nil); err != nil { // in one transaction
			return fmt.Errorf("migration to version %d: %w", version+1, err)
		}
	}
	return nil
}

// empty reports whether a database has no table.
func empty(c *sqlite.Conn) bool {
	n, err := number(c, "SELECT count(*) FROM sqlite_schema")
	return err == nil && n == 0
}

// number runs a statement that yields one number; it is 0 if there is no row.
func number(c *sqlite.Conn, text string) (n int64, err error) {
	err = sqlitex.ExecuteTransient(c, text, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error { n = stmt.ColumnInt64(0); return nil },
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", text, err)
	}
	return n, nil
}
