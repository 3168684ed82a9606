package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// Swap implements jobs.ExecutionStore.
func (s *Store) Swap(ctx context.Context, swaps []jobs.Swap) error {
	for i := range swaps {
		swaps[i].Applied = false
	}
	if len(swaps) == 0 {
		return nil
	}
	if len(swaps) > smallSet {
		return s.change(ctx, s.sets, swaps, nil)
	}
	return s.change(ctx, s.queue, swaps, nil)
}

const updateExecution = `UPDATE executions SET version = ?, status = ?, forced = ?, started = ?, updated = ?, deadline = ?,
	step = ?, details = ? WHERE job = ? AND thing = ? AND number = ? AND version = ?`

// swap replaces one execution. The database says whether it still has the number and version that it had; then the old
// status is the one that was counted.
func (t *tx) swap(s *jobs.Swap) error {
	thing, e, ok := t.view.locate(s.Old.Thing, s.Old.Job.ID)
	if !ok || !e.job.Load().CreatedAt.Equal(s.Old.Job.CreatedAt) || (s.Next != nil && !t.jobOf(e).Retries()) {
		return nil
	}
	now := rowOf(&s.New, e.seq, thing)
	applied, err := t.update(&now, s.Old.Number, s.Old.Version)
	if err != nil || !applied {
		return err
	}
	s.Applied = true
	t.count(e.seq, s.Old.Status, -1)
	if s.Next != nil {
		if now, err = t.supersede(&now, s.Next); err != nil {
			return err
		}
	}
	t.count(e.seq, now.status, 1)
	if now.status.Terminal() {
		t.drop(thing, e.seq, e)
	} else {
		t.put(&now, e)
	}
	return nil
}

// update writes r over the execution of a number and version, if it is still there.
func (t *tx) update(r *row, number, version int64) (bool, error) {
	stmt, err := t.conn.Prepare(updateExecution)
	if err != nil {
		return false, err
	}
	for i, n := range [...]int64{r.version, int64(r.status), flag(r.forced), r.started, r.updated, r.deadline, r.step} {
		stmt.BindInt64(i+1, n)
	}
	stmt.BindText(8, string(r.details))
	for i, n := range [...]int64{r.job, r.thing, number, version} {
		stmt.BindInt64(9+i, n)
	}
	if err := rows(stmt, nil); err != nil {
		return false, err
	}
	return t.conn.Changes() == 1, nil
}

// supersede keeps an execution as an attempt of the past, and puts the next one in its place.
func (t *tx) supersede(past *row, next *jobs.Execution) (row, error) {
	now := rowOf(next, past.job, past.thing)
	if err := insertRow(t.conn, "INSERT INTO attempts ("+executionColumns+") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", past); err != nil {
		return now, err
	}
	return now, insertRow(t.conn, "REPLACE INTO executions ("+executionColumns+") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", &now)
}

func insertRow(c *sqlite.Conn, text string, r *row) error {
	stmt, err := c.Prepare(text)
	if err != nil {
		return err
	}
	bindRow(stmt, r)
	return rows(stmt, nil)
}

// jobOf returns a job as this group left it.
func (t *tx) jobOf(e *entry) *jobs.Job {
	if j := t.jobs[e.seq]; j != nil {
		return j
	}
	return e.job.Load()
}
