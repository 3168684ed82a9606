package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// checks are queries that count what does not add up.
var checks = []struct{ what, sql string }{
	{"jobs whose counts are not those of their executions", "SELECT count(*) FROM jobs WHERE " + func() string {
		var differs []string
		for status := range engine.Statuses {
			differs = append(differs, fmt.Sprintf("c%d <> (SELECT count(*) FROM executions e WHERE e.job = jobs.seq AND e.status = %d)", status, status))
		}
		return strings.Join(differs, " OR ")
	}()},
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

// Check implements engine.Copier.
func (s *Store) Check(ctx context.Context) (engine.Report, error) {
	conn, err := s.reads.Take(ctx)
	if err != nil {
		return engine.Report{}, err
	}
	defer s.reads.Put(conn)
	return check(conn)
}

// CheckFile checks the store in a file, beside the process that has it open.
func CheckFile(path string) (r engine.Report, err error) {
	conn, err := beside(path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return check(conn)
}

func check(conn *sqlite.Conn) (r engine.Report, err error) {
	r.Rows = map[string]int64{}
	if err = query(conn, "BEGIN", nil); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, query(conn, "ROLLBACK", nil)) }()
	if r.Version, err = pragma(conn, "user_version"); err != nil {
		return r, err
	}
	for i := range engine.Tables {
		name := engine.Tables[i].Name
		if name == "last" {
			continue
		}
		from := sources[name]
		if from == "" {
			from = name
		}
		if r.Rows[name], _, err = value(conn, "SELECT count(*) FROM "+from); err != nil {
			return r, err
		}
	}
	err = query(conn, "PRAGMA quick_check(1)", func(stmt *sqlite.Stmt) error {
		if text := stmt.ColumnText(0); text != "ok" {
			r.Faults = append(r.Faults, engine.Fault{What: "damage of the file: " + text, Rows: 1})
		}
		return nil
	})
	for _, c := range checks {
		var n int64
		if err == nil {
			n, _, err = value(conn, c.sql)
		}
		if n > 0 {
			r.Faults = append(r.Faults, engine.Fault{What: c.what, Rows: n})
		}
	}
	return r, err
}

// beside opens a store's file for reading, whoever has it open.
func beside(path string) (*sqlite.Conn, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	version, err := storeVersion(conn)
	if err == nil && version != int64(len(migrations)) {
		err = fmt.Errorf("version %d, this program knows %d: start the gateway once, it brings the file to its version", version, len(migrations))
	}
	if err == nil {
		err = query(conn, "PRAGMA query_only = 1", nil)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Backup writes the store in a file to another, as it is at one moment, beside the process that has it open. The copy is
// readable by its owner only; there must be no file yet.
func Backup(path, to string) (err error) {
	conn, err := beside(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%q exists already", to)
	}
	part := to + ".part"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part) }() // unless it was renamed
	if err := f.Close(); err != nil {
		return err
	}
	if err := query(conn, "PRAGMA query_only = 0", nil); err != nil { // SQLite counts the new file as a change
		return err
	}
	if err := query(conn, "VACUUM INTO ?", nil, part); err != nil {
		return err
	}
	if f, err = os.Open(part); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, to)
}
