package dbfile

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"jobgate/gateway/jobs/engine"
)

// checks are queries that count inconsistent rows.
var checks = []struct{ what, sql string }{
	{"jobs whose counts do not match their executions", "SELECT count(*) FROM jobs WHERE " + func() string {
		var differs []string
		for status := range engine.Statuses {
			differs = append(differs, fmt.Sprintf("c%d <> (SELECT count(*) FROM executions e WHERE e.job = jobs.seq AND e.status = %d)", status, status))
		}
		return strings.Join(differs, " OR ")
	}()},
	{"reasons whose sums are not those of their executions", `SELECT count(*) FROM (
		SELECT * FROM (SELECT job, status, reason, n FROM reasons WHERE n <> 0 EXCEPT ` + sumsOfReasons + `)
		UNION SELECT * FROM (` + sumsOfReasons + ` EXCEPT SELECT job, status, reason, n FROM reasons))`},
	{"executions of jobs that do not exist", `SELECT count(*) FROM executions e WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE seq = e.job)`},
	{"executions of things that do not exist", `SELECT count(*) FROM executions e WHERE NOT EXISTS (SELECT 1 FROM things WHERE id = e.thing)`},
	{"attempts that no execution follows", `SELECT count(*) FROM attempts a WHERE NOT EXISTS (
		SELECT 1 FROM executions e WHERE e.thing = a.thing AND e.job = a.job AND e.number > a.number)`},
	{"memberships of groups or things that do not exist", `SELECT count(*) FROM members m WHERE NOT EXISTS (SELECT 1 FROM groups WHERE id = m.grp)
		OR NOT EXISTS (SELECT 1 FROM things WHERE id = m.thing)`},
	{"targets that do not exist", `SELECT count(*) FROM targets t WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE seq = t.job)
		OR NOT CASE WHEN is_group THEN EXISTS (SELECT 1 FROM groups WHERE id = t.ref) ELSE EXISTS (SELECT 1 FROM things WHERE id = t.ref) END`},
	{"jobs without a document", `SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT 1 FROM vals WHERE space = 'document' AND key = CAST(j.seq AS TEXT))`},
}

// CheckFile checks the store in a file, even if a process has it open.
func CheckFile(path string) (r engine.Report, err error) {
	conn, err := openForReading(path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return Check(conn)
}

// Check reports the number of a store's rows and its inconsistencies, from one snapshot.
func Check(conn *sqlite.Conn) (r engine.Report, err error) {
	r.Rows = map[string]int64{}
	if err = sqlitex.ExecuteTransient(conn, "BEGIN", nil); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, sqlitex.ExecuteTransient(conn, "ROLLBACK", nil)) }()
	if r.Version, err = number(conn, "PRAGMA user_version"); err != nil {
		return r, err
	}
	for i := range engine.Tables {
		name := engine.Tables[i].Name
		if name == "last" {
			continue
		}
		if r.Rows[name], err = number(conn, "SELECT count(*) FROM "+Source(name)); err != nil {
			return r, err
		}
	}
	err = sqlitex.ExecuteTransient(conn, "PRAGMA quick_check(1)", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		if text := stmt.ColumnText(0); text != "ok" {
			r.Faults = append(r.Faults, engine.Fault{What: "damage of the file: " + text, Rows: 1})
		}
		return nil
	}})
	for _, c := range checks {
		var n int64
		if err == nil {
			n, err = number(conn, c.sql)
		}
		if n > 0 {
			r.Faults = append(r.Faults, engine.Fault{What: c.what, Rows: n})
		}
	}
	return r, err
}

// openForReading opens a store's file for reading, even if a process has it open.
func openForReading(path string) (*sqlite.Conn, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	version, err := Version(conn)
	if err == nil && version != int64(len(migrations)) {
		err = fmt.Errorf("version %d, this program knows %d: start the gateway once, it brings the file to its version", version, len(migrations))
	}
	if err == nil {
		err = sqlitex.ExecuteTransient(conn, "PRAGMA query_only = 1", nil)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
