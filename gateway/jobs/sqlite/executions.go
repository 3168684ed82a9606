package sqlite

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// Pending implements engine.Engine. It answers from memory.
func (s *Store) Pending(_ context.Context, dst []engine.Execution, thing string) ([]engine.Execution, error) {
	if s.shut.Load() {
		return dst, engine.ErrClosed
	}
	dst, ok := s.view.Pending(dst, thing)
	if !ok {
		return dst, engine.ErrNotFound
	}
	return dst, nil
}

// Execution implements engine.Engine. It answers from memory if the execution has not ended.
func (s *Store) Execution(ctx context.Context, thing, jobID string) (x engine.Execution, err error) {
	if s.shut.Load() {
		return x, engine.ErrClosed
	}
	if x, ok := s.view.Execution(thing, jobID); ok {
		return x, nil
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		r := reader{c}
		thingID, known, err := value(c, "SELECT id FROM things WHERE name = ?", thing)
		if err != nil {
			return err
		}
		state, err := r.findJob(jobID)
		if err != nil {
			return err
		}
		rows, err := r.Executions([]engine.Key{{Job: state.Job.Seq, Thing: thingID}})
		if err != nil {
			return err
		}
		if !known || len(rows) == 0 {
			return engine.ErrNotFound
		}
		x = rows[0]
		x.Name, x.Of = thing, state.Job
		return nil
	})
	return x, err
}

// Due implements engine.Engine.
func (s *Store) Due(_ context.Context, now int64, limit int) ([]engine.Execution, int64, error) {
	if s.shut.Load() {
		return nil, 0, engine.ErrClosed
	}
	due, next := s.view.Due(now, limit)
	return due, next, nil
}

// Executions implements engine.ExecutionReader.
func (r reader) Executions(keys []engine.Key) (list []engine.Execution, err error) {
	add := func(stmt *sqlite.Stmt) error {
		list = append(list, scanRow(stmt))
		return nil
	}
	for _, k := range keys {
		err := numbers(r.conn, "SELECT "+executionColumns+" FROM executions WHERE job = ? AND thing = ?", add, k.Job, k.Thing)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Attempts implements engine.ExecutionReader.
func (r reader) Attempts(k engine.Key) (list []engine.Execution, err error) {
	err = numbers(r.conn, "SELECT "+executionColumns+" FROM attempts WHERE job = ? AND thing = ? ORDER BY number",
		func(stmt *sqlite.Stmt) error {
			list = append(list, scanRow(stmt))
			return nil
		}, k.Job, k.Thing)
	return list, err
}

// PendingOf implements engine.ExecutionReader.
func (r reader) PendingOf(things []int64) (list []engine.Execution, err error) {
	for _, id := range things {
		err := numbers(r.conn, "SELECT "+prefixed("e", executionColumns)+`, t.name FROM executions e JOIN things t ON t.id = e.thing
			WHERE e.thing = ? AND e.status < ? ORDER BY e.job`, func(stmt *sqlite.Stmt) error {
			x := scanRow(stmt)
			x.Name = stmt.ColumnText(executionWidth)
			list = append(list, x)
			return nil
		}, id, engine.FirstEnded)
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, func(a, b engine.Execution) int { return cmp.Compare(a.Job, b.Job) })
	return list, r.addJobs(list)
}

// addJobs sets Of.
func (r reader) addJobs(list []engine.Execution) error {
	known := make(map[int64]*engine.Job)
	for i := range list {
		x := &list[i]
		if known[x.Job] == nil {
			err := numbers(r.conn, "SELECT "+jobColumns+" FROM jobs WHERE seq = ?", func(stmt *sqlite.Stmt) error {
				known[x.Job] = scanJob(stmt).Job
				return nil
			}, x.Job)
			if err != nil {
				return err
			}
		}
		x.Of = known[x.Job]
	}
	return nil
}

// ListOfJob implements engine.ExecutionReader.
func (r reader) ListOfJob(job int64, q engine.ExecutionQuery, after int64, limit int) (list []engine.Execution, err error) {
	err = numbers(r.conn, "SELECT "+prefixed("e", executionColumns)+`, t.name FROM executions e JOIN things t ON t.id = e.thing
			WHERE e.job = ?1 AND e.thing > ?2 AND (?3 = 0 OR (?3 >> e.status) & 1) ORDER BY e.thing LIMIT ?4`,
		func(stmt *sqlite.Stmt) error {
			x := scanRow(stmt)
			x.Name = stmt.ColumnText(executionWidth)
			list = append(list, x)
			return nil
		}, job, after, int64(q.Statuses), int64(limit))
	return list, err
}

// prefixed prefixes each of a list of columns with a table's name.
func prefixed(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}

// ListOfThing implements engine.ExecutionReader.
func (r reader) ListOfThing(thing int64, q engine.ExecutionQuery, before engine.AttemptKey, limit int) (list []engine.Execution, err error) {
	if before.Job == 0 {
		before.Job = 1<<63 - 1
	}
	err = query(r.conn, `SELECT `+prefixed("e", executionColumns)+` FROM (
			SELECT * FROM executions WHERE thing = ?1 UNION ALL SELECT * FROM attempts WHERE thing = ?1
		) e JOIN jobs j ON j.seq = e.job
		WHERE (e.job, e.number) < (?2, ?3) AND (?4 = 0 OR (?4 >> e.status) & 1) AND (?5 = '' OR j.id = ?5)
			AND (?6 = '' OR j.namespace = ?6)
		ORDER BY e.job DESC, e.number DESC LIMIT ?7`,
		func(stmt *sqlite.Stmt) error {
			list = append(list, scanRow(stmt))
			return nil
		}, thing, before.Job, before.Number, int64(q.Statuses), q.JobID, q.Namespace, limit)
	if err != nil {
		return nil, err
	}
	return list, r.addJobs(list)
}

// unsuccessful returns the index, and its condition, for a query of only executions that ended without success; else "".
func unsuccessful(q *engine.EndedQuery) (from, where string) {
	if q.Statuses == 0 || q.Statuses&engine.SetOf(0, 1, engine.FirstEnded) != 0 {
		return "", ""
	}
	return " INDEXED BY executions_unsuccessful", " AND e.status > 2"
}

// Ended implements engine.ExecutionReader.
func (r reader) Ended(q engine.EndedQuery) (list []engine.Ended, err error) {
	index, where := unsuccessful(&q)
	err = query(r.conn, `SELECT e.thing, t.name, e.number, e.status, e.reason FROM executions e`+index+` JOIN things t ON t.id = e.thing
			WHERE e.job = ?1 AND e.thing > ?2 AND e.status >= ?3 AND (?4 = 0 OR (?4 >> e.status) & 1) AND (?5 = 0 OR e.reason = ?6)`+where+`
			ORDER BY e.thing LIMIT ?7`,
		func(stmt *sqlite.Stmt) error {
			list = append(list, engine.Ended{
				Thing: stmt.ColumnInt64(0), Name: stmt.ColumnText(1), Number: stmt.ColumnInt64(2),
				Status: uint8(stmt.ColumnInt64(3)), Reason: stmt.ColumnText(4),
			})
			return nil
		}, q.Job, q.After, engine.FirstEnded, int64(q.Statuses), flag(q.ByReason), q.Reason, q.Limit)
	return list, err
}

// Reasons implements engine.Tx. It includes the transaction's own changes.
func (t *tx) Reasons(q engine.EndedQuery) ([]engine.ReasonCount, error) {
	if err := t.flush(); err != nil {
		return nil, err
	}
	return t.reader.Reasons(q)
}

// Reasons implements engine.ExecutionReader. The number without a reason is the job's count less those with one.
func (r reader) Reasons(q engine.EndedQuery) (list []engine.ReasonCount, err error) {
	err = query(r.conn, `WITH r AS (SELECT status, reason, n FROM reasons WHERE job = ?1 AND (?2 = 0 OR (?2 >> status) & 1)),
			s (status, n) AS (SELECT 2, c2 FROM jobs WHERE seq = ?1 UNION ALL SELECT 3, c3 FROM jobs WHERE seq = ?1
				UNION ALL SELECT 4, c4 FROM jobs WHERE seq = ?1 UNION ALL SELECT 5, c5 FROM jobs WHERE seq = ?1
				UNION ALL SELECT 6, c6 FROM jobs WHERE seq = ?1 UNION ALL SELECT 7, c7 FROM jobs WHERE seq = ?1)
		SELECT status, reason, n FROM (SELECT * FROM r
			UNION ALL SELECT status, '', n - coalesce((SELECT sum(r.n) FROM r WHERE r.status = s.status), 0) FROM s WHERE ?2 = 0 OR (?2 >> status) & 1)
		WHERE n > 0 AND (?3 = 0 OR reason = ?4) ORDER BY n DESC, status, reason LIMIT ?5`,
		func(stmt *sqlite.Stmt) error {
			list = append(list, engine.ReasonCount{
				Status: uint8(stmt.ColumnInt64(0)), Reason: stmt.ColumnText(1), Count: stmt.ColumnInt64(2),
			})
			return nil
		}, q.Job, int64(q.Statuses), flag(q.ByReason), q.Reason, q.Limit)
	return list, err
}

// errEnough ends a statement before its last row.
var errEnough = errors.New("enough rows")
