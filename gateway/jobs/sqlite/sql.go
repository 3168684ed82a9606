package sqlite

import (
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// query runs a statement that is prepared once, and hands its rows to each (nil: there are none).
func query(c *sqlite.Conn, text string, each func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(c, text, &sqlitex.ExecOptions{Args: args, ResultFunc: each})
}

// numbers is query for arguments that are all numbers; it does not allocate.
func numbers(c *sqlite.Conn, text string, each func(*sqlite.Stmt) error, args ...int64) error {
	stmt, err := c.Prepare(text)
	if err != nil {
		return err
	}
	for i, n := range args {
		stmt.BindInt64(i+1, n)
	}
	return rows(stmt, each)
}

// rows steps a statement to its end.
func rows(stmt *sqlite.Stmt, each func(*sqlite.Stmt) error) error {
	for {
		more, err := stmt.Step()
		if err == nil && more && each != nil {
			err = each(stmt)
		}
		if err != nil {
			_ = stmt.Reset() // says err again
			return err
		}
		if !more {
			return stmt.Reset()
		}
	}
}

// value runs a statement that yields one number; found is false if it yields no row.
func value(c *sqlite.Conn, text string, args ...any) (n int64, found bool, err error) {
	err = query(c, text, func(stmt *sqlite.Stmt) error {
		n, found = stmt.ColumnInt64(0), true
		return nil
	}, args...)
	return n, found, err
}

// executionColumns are the columns of executions and attempts, in the order of scanRow and bindRow.
const executionColumns = `job, thing, number, version, status, retry, retry_timed_out, forced, queued, started, updated, deadline, step, details`

// Where things are among executionColumns.
const (
	statusColumn   = 4
	executionWidth = 14
)

// scanRow reads executionColumns, which are a statement's first.
func scanRow(stmt *sqlite.Stmt) row {
	return row{
		job: stmt.ColumnInt64(0), thing: stmt.ColumnInt64(1), number: stmt.ColumnInt64(2),
		version: stmt.ColumnInt64(3), status: status(stmt, statusColumn),
		retry: stmt.ColumnInt(5), retryTimedOut: stmt.ColumnInt(6), forced: stmt.ColumnBool(7),
		queued: stmt.ColumnInt64(8), started: stmt.ColumnInt64(9), updated: stmt.ColumnInt64(10),
		deadline: stmt.ColumnInt64(11), step: stmt.ColumnInt64(12), details: details(stmt, 13),
	}
}

// bindRow binds executionColumns to a statement's parameters.
func bindRow(stmt *sqlite.Stmt, r *row) {
	for i, n := range [...]int64{
		r.job, r.thing, r.number, r.version, int64(r.status), int64(r.retry), int64(r.retryTimedOut), flag(r.forced),
		r.queued, r.started, r.updated, r.deadline, r.step,
	} {
		stmt.BindInt64(i+1, n)
	}
	stmt.BindText(executionWidth, string(r.details))
}

// inSavepoint runs do, and undoes what it did to the database if it fails.
func inSavepoint(c *sqlite.Conn, do func() error) error {
	if err := query(c, "SAVEPOINT change", nil); err != nil {
		return err
	}
	if err := do(); err != nil {
		if undo := query(c, "ROLLBACK TO change", nil); undo != nil {
			return fmt.Errorf("%w (and cannot undo: %w)", err, undo)
		}
		_ = query(c, "RELEASE change", nil) // of nothing
		return err
	}
	return query(c, "RELEASE change", nil)
}
