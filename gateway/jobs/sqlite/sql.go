package sqlite

import (
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"jobgate/gateway/jobs/engine"
)

// query runs a statement, prepared once, and calls each for its rows (nil: none are expected).
func query(c *sqlite.Conn, text string, each func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(c, text, &sqlitex.ExecOptions{Args: args, ResultFunc: each})
}

// numbers is query for numeric arguments. It does not allocate.
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
			_ = stmt.Reset() // returns err again
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

// executionColumns are the columns of executions and attempts, in the order of scanRow and insertRow.
const executionColumns = `job, thing, number, version, status, retry, retry_timed_out, forced, queued, started, updated, deadline, step, details, reason`

// numberHoles are parameters for the executionColumns that are numbers, all but the last two; executionWidth is the number of
// columns.
const (
	numberHoles    = "?,?,?,?,?,?,?,?,?,?,?,?,?"
	executionWidth = 15
)

// scanRow reads executionColumns, which must be the first columns of the statement.
func scanRow(stmt *sqlite.Stmt) engine.Execution {
	return engine.Execution{
		Job: stmt.ColumnInt64(0), Thing: stmt.ColumnInt64(1), Number: stmt.ColumnInt64(2),
		Version: stmt.ColumnInt64(3), Status: uint8(stmt.ColumnInt64(4)),
		Retry: stmt.ColumnInt(5), RetryTimedOut: stmt.ColumnInt(6), Forced: stmt.ColumnBool(7),
		Queued: stmt.ColumnInt64(8), Started: stmt.ColumnInt64(9), Updated: stmt.ColumnInt64(10),
		Deadline: stmt.ColumnInt64(11), Step: stmt.ColumnInt64(12), Details: stmt.ColumnText(13), Reason: stmt.ColumnText(14),
	}
}

// bindNumbers binds the numbers of executionColumns to a statement's parameters.
func bindNumbers(stmt *sqlite.Stmt, x *engine.Execution) {
	for i, n := range [...]int64{
		x.Job, x.Thing, x.Number, x.Version, int64(x.Status), int64(x.Retry), int64(x.RetryTimedOut), flag(x.Forced),
		x.Queued, x.Started, x.Updated, x.Deadline, x.Step,
	} {
		stmt.BindInt64(i+1, n)
	}
}

// inSavepoint runs do, and rolls back do's changes if it fails.
func inSavepoint(c *sqlite.Conn, do func() error) error {
	if err := query(c, "SAVEPOINT change", nil); err != nil {
		return err
	}
	if err := do(); err != nil {
		if undo := query(c, "ROLLBACK TO change", nil); undo != nil {
			return fmt.Errorf("%w (and cannot undo: %w)", err, undo)
		}
		_ = query(c, "RELEASE change", nil) // the savepoint is empty now
		return err
	}
	return query(c, "RELEASE change", nil)
}
