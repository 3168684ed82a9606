package sqlite

import (
	"context"
	"strconv"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// Pending implements jobs.ExecutionStore. It answers from memory.
func (s *Store) Pending(_ context.Context, dst []jobs.Execution, thing string) ([]jobs.Execution, error) {
	if s.shut.Load() {
		return dst, jobs.ErrClosed
	}
	dst, ok := s.view.pending(dst, thing)
	if !ok {
		return dst, noThing(thing)
	}
	return dst, nil
}

// Execution implements jobs.ExecutionStore. One that has not ended is answered from memory.
func (s *Store) Execution(ctx context.Context, thing, jobID string, number int64) (jobs.Execution, error) {
	if s.shut.Load() {
		return jobs.Execution{}, jobs.ErrClosed
	}
	if e, ok := s.view.execution(thing, jobID); ok && (number == 0 || number == e.Number) {
		return e, nil
	}
	var e jobs.Execution
	err := s.read(ctx, func(c *sqlite.Conn) error {
		id, known, err := value(c, "SELECT id FROM things WHERE name = ?", thing)
		if err != nil {
			return err
		}
		if !known {
			return noThing(thing)
		}
		j, err := findJob(c, jobID)
		if err != nil {
			return err
		}
		r, ok, err := findRow(c, j.seq, id, number)
		if err == nil && !ok {
			err = noExecution(thing, jobID)
		}
		if err == nil {
			e = r.execution(thing, j.job)
		}
		return err
	})
	return e, err
}

// findRow reads an execution, or an attempt; number 0 is the latest.
func findRow(c *sqlite.Conn, job, thing, number int64) (r row, found bool, err error) {
	read := func(stmt *sqlite.Stmt) error {
		r, found = scanRow(stmt), true
		return nil
	}
	err = numbers(c, "SELECT "+executionColumns+" FROM executions WHERE job = ? AND thing = ?", read, job, thing)
	if err == nil && found && number != 0 && r.number != number {
		found = false
		err = numbers(c, "SELECT "+executionColumns+" FROM attempts WHERE job = ? AND thing = ? AND number = ?", read, job, thing, number)
	}
	return r, found, err
}

// OfJob implements jobs.ExecutionStore. The order is by the things' ids.
func (s *Store) OfJob(ctx context.Context, jobID string, q jobs.ExecutionQuery, p jobs.Page) (list []jobs.Execution, next string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		j, err := findJob(c, jobID)
		if err != nil {
			return err
		}
		after, _ := strconv.ParseInt(p.After, 10, 64)
		last := int64(0)
		err = numbers(c, "SELECT "+prefixed("e", executionColumns)+", t.name FROM executions e JOIN things t ON t.id = e.thing"+
			" WHERE e.job = ?1 AND e.thing > ?2 AND (?3 < 0 OR e.status = ?3) ORDER BY e.thing LIMIT ?4",
			func(stmt *sqlite.Stmt) error {
				if len(list) == p.Limit {
					next = strconv.FormatInt(last, 10)
					return nil
				}
				r := scanRow(stmt)
				last = r.thing
				list = append(list, r.execution(stmt.ColumnText(executionWidth), j.job))
				return nil
			}, j.seq, after, statusFilter(q), int64(p.Limit)+1)
		return err
	})
	return list, next, err
}

// prefixed puts a table's name before each of a list of columns.
func prefixed(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// statusFilter is a query's status, or -1 for all.
func statusFilter(q jobs.ExecutionQuery) int64 {
	if q.ByStatus {
		return int64(q.Status)
	}
	return -1
}

// OfThing implements jobs.ExecutionStore.
func (s *Store) OfThing(ctx context.Context, thing string, q jobs.ExecutionQuery, p jobs.Page) (list []jobs.Execution, next string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		id, known, err := value(c, "SELECT id FROM things WHERE name = ?", thing)
		if err != nil {
			return err
		}
		if !known {
			return noThing(thing)
		}
		list, next, err = ofThing(c, id, thing, q, p)
		return err
	})
	return list, next, err
}

// ofThing lists a thing's executions and attempts, the newest first. The cursor is the last job and number.
func ofThing(c *sqlite.Conn, id int64, thing string, q jobs.ExecutionQuery, p jobs.Page) (list []jobs.Execution, next string, err error) {
	job, num := cursor(p.After)
	known := make(map[int64]*jobs.Job)
	var last row
	err = query(c, `SELECT `+prefixed("e", executionColumns)+`, j.record FROM (
			SELECT * FROM executions WHERE thing = ?1 UNION ALL SELECT * FROM attempts WHERE thing = ?1
		) e JOIN jobs j ON j.seq = e.job
		WHERE (e.job, e.number) < (?2, ?3) AND (?4 < 0 OR e.status = ?4) AND (?5 = '' OR j.id = ?5)
			AND (?6 = '' OR j.namespace = ?6)
		ORDER BY e.job DESC, e.number DESC LIMIT ?7`,
		func(stmt *sqlite.Stmt) error {
			if len(list) == p.Limit {
				next = strconv.FormatInt(last.job, 10) + "." + strconv.FormatInt(last.number, 10)
				return nil
			}
			last = scanRow(stmt)
			if known[last.job] == nil {
				j, err := decodeJob(stmt.ColumnText(executionWidth))
				if err != nil {
					return err
				}
				known[last.job] = j
			}
			list = append(list, last.execution(thing, known[last.job]))
			return nil
		}, id, job, num, statusFilter(q), q.JobID, q.NamespaceID, p.Limit+1)
	return list, next, err
}

// cursor reads two numbers; without them, it is beyond everything.
func cursor(after string) (a, b int64) {
	x, y, _ := strings.Cut(after, ".")
	a, err := strconv.ParseInt(x, 10, 64)
	if err != nil {
		return 1<<63 - 1, 0
	}
	b, _ = strconv.ParseInt(y, 10, 64)
	return a, b
}

// Due implements jobs.ExecutionStore.
func (s *Store) Due(_ context.Context, now time.Time, limit int) ([]jobs.Execution, time.Time, error) {
	if s.shut.Load() {
		return nil, time.Time{}, jobs.ErrClosed
	}
	due, next := s.view.due(millis(now), limit)
	return due, instant(next), nil
}

// DeleteExecution implements jobs.ExecutionStore.
func (s *Store) DeleteExecution(ctx context.Context, e jobs.Execution) error {
	return s.write(ctx, func(t *tx) error { return t.deleteExecution(&e) })
}

func (t *tx) deleteExecution(e *jobs.Execution) error {
	j, err := findJob(t.conn, e.Job.ID)
	if err != nil {
		return err
	}
	thing, known, err := value(t.conn, "SELECT id FROM things WHERE name = ?", e.Thing)
	if err != nil {
		return err
	}
	latest, ok, err := findRow(t.conn, j.seq, thing, 0)
	switch {
	case err != nil:
		return err
	case !j.job.CreatedAt.Equal(e.Job.CreatedAt):
		return executionChanged
	case !known || !ok:
		return noExecution(e.Thing, e.Job.ID)
	case latest.number == e.Number && latest.version == e.Version:
		if err := t.deleteLatest(&latest); err != nil {
			return err
		}
		return t.purgeThings(thing, thing)
	}
	err = numbers(t.conn, "DELETE FROM attempts WHERE job = ? AND thing = ? AND number = ? AND version = ?", nil, j.seq, thing, e.Number, e.Version)
	if err == nil && t.conn.Changes() == 0 {
		err = executionChanged
	}
	return err
}

// executionChanged is an execution that is no longer as it was read.
var executionChanged = jobs.Errorf(jobs.ErrVersionConflict, "The job execution has changed.")

// deleteLatest removes a thing's latest execution. The attempt before it, if there is one, is the latest then.
func (t *tx) deleteLatest(r *row) error {
	if err := numbers(t.conn, "DELETE FROM executions WHERE job = ? AND thing = ?", nil, r.job, r.thing); err != nil {
		return err
	}
	t.count(r.job, r.status, -1)
	if !r.status.Terminal() {
		t.drop(r.thing, r.job, nil)
	}
	var before row
	found := false
	err := numbers(t.conn, "SELECT "+executionColumns+" FROM attempts WHERE job = ? AND thing = ? ORDER BY number DESC LIMIT 1",
		func(stmt *sqlite.Stmt) error { before, found = scanRow(stmt), true; return nil }, r.job, r.thing)
	if err != nil || !found {
		return err
	}
	t.count(before.job, before.status, 1)
	if err := numbers(t.conn, "DELETE FROM attempts WHERE job = ? AND thing = ? AND number = ?", nil, r.job, r.thing, before.number); err != nil {
		return err
	}
	return insertRow(t.conn, "INSERT INTO executions ("+executionColumns+") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", &before)
}
