package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// Apply implements engine.Engine.
func (s *Store) Apply(ctx context.Context, changes []engine.Change) error {
	for i := range changes {
		changes[i].Applied = false
	}
	if len(changes) == 0 {
		return nil
	}
	if len(changes) > smallSet {
		return s.change(ctx, s.sets, changes, nil)
	}
	return s.change(ctx, s.queue, changes, nil)
}

// Apply implements engine.Tx.
func (t *tx) Apply(changes []engine.Change) error {
	for i := range changes {
		if err := t.apply(&changes[i]); err != nil {
			return err
		}
	}
	return nil
}

// apply makes a change if the database still has the expected row, and updates the counts by the row's status.
func (t *tx) apply(c *engine.Change) error {
	c.Applied, c.Found = false, nil
	if c.JobVersion != 0 {
		version, err := t.jobVersion(c.Job)
		if err != nil || version != c.JobVersion {
			return err
		}
	}
	c.New.Job, c.New.Thing = c.Job, c.Thing
	applied, err := t.replace(c)
	if err != nil || !applied {
		return err
	}
	c.Applied = true
	if c.Number != 0 {
		t.count(c.Job, c.Status, -1)
	}
	t.count(c.Job, c.New.Status, 1)
	if c.Past != nil {
		past := *c.Past
		past.Job, past.Thing = c.Job, c.Thing
		if err := insertRow(t.conn, insertAttempt, &past); err != nil {
			return err
		}
	}
	if c.New.Status >= engine.FirstEnded {
		t.drop(c.Thing, c.Job)
	} else {
		t.put(&c.New)
	}
	return nil
}

// The statements that write executions. Binding an empty text costs as much as binding ten numbers. So the texts of a queued
// row, which are empty, are literals, and the reason, which most ended rows lack, has its own statement.
const (
	insertQueued    = "INSERT INTO executions (" + executionColumns + ") VALUES (" + numberHoles + ", '', '') ON CONFLICT DO NOTHING"
	insertExecution = "INSERT INTO executions (" + executionColumns + ") VALUES (" + numberHoles + ", ?, ?) ON CONFLICT DO NOTHING"
	insertAttempt   = "INSERT INTO attempts (" + executionColumns + ") VALUES (" + numberHoles + ", ?, ?)"

	updateExecution = `UPDATE executions SET version = ?, status = ?, forced = ?, started = ?, updated = ?, deadline = ?,
		step = ?, details = ? WHERE job = ? AND thing = ? AND number = ? AND version = ?`
	updateReason = "UPDATE executions SET reason = ? WHERE job = ? AND thing = ?"

	addReason = `INSERT INTO reasons (job, status, reason, n) SELECT job, status, reason, ? FROM executions
		WHERE job = ? AND thing = ? AND status > 1 AND reason <> '' ON CONFLICT DO UPDATE SET n = n + excluded.n`
)

// replace writes the row of a change, and updates the sums of reasons.
func (t *tx) replace(c *engine.Change) (applied bool, err error) {
	ended := c.Number != 0 && c.Status >= engine.FirstEnded
	if ended {
		if err := t.addToReason(c.Job, c.Thing, -1); err != nil {
			return false, err
		}
	}
	applied, err = t.write(c)
	if err == nil && (ended || applied && c.New.Reason != "") {
		err = t.addToReason(c.Job, c.Thing, 1)
	}
	return applied, err
}

// addToReason adds n to the sum of an execution's reason, if the execution has ended with one.
func (t *tx) addToReason(job, thing, n int64) error {
	return numbers(t.conn, addReason, nil, n, job, thing)
}

// write writes the row of a change.
func (t *tx) write(c *engine.Change) (bool, error) {
	switch {
	case c.Number == 0:
		inserted, err := t.insert(&c.New)
		if err != nil || inserted {
			return inserted, err
		}
		rows, err := t.Executions([]engine.Key{c.Key})
		if len(rows) > 0 {
			c.Found = &rows[0]
		}
		return false, err
	case c.New.Number != c.Number: // another attempt
		err := numbers(t.conn, "DELETE FROM executions WHERE job = ? AND thing = ? AND number = ? AND version = ?", nil,
			c.Job, c.Thing, c.Number, c.Version)
		if err != nil || t.conn.Changes() == 0 {
			return false, err
		}
		return t.insert(&c.New)
	}
	updated, err := t.update(c)
	if err == nil && updated && c.New.Reason != "" {
		err = query(t.conn, updateReason, nil, c.New.Reason, c.Job, c.Thing)
	}
	return updated, err
}

// insert inserts an execution unless it exists.
func (t *tx) insert(x *engine.Execution) (bool, error) {
	text := insertExecution
	if x.Details == "" && x.Reason == "" {
		text = insertQueued
	}
	err := insertRow(t.conn, text, x)
	return err == nil && t.conn.Changes() == 1, err
}

// update is the most frequent write: a new state of the same attempt.
func (t *tx) update(c *engine.Change) (bool, error) {
	stmt, err := t.conn.Prepare(updateExecution)
	if err != nil {
		return false, err
	}
	x := &c.New
	for i, n := range [...]int64{x.Version, int64(x.Status), flag(x.Forced), x.Started, x.Updated, x.Deadline, x.Step} {
		stmt.BindInt64(i+1, n)
	}
	stmt.BindText(8, x.Details)
	for i, n := range [...]int64{c.Job, c.Thing, c.Number, c.Version} {
		stmt.BindInt64(9+i, n)
	}
	if err := rows(stmt, nil); err != nil {
		return false, err
	}
	return t.conn.Changes() == 1, nil
}

// insertRow runs an insertion with all executionColumns as parameters, or with the numbers only.
func insertRow(c *sqlite.Conn, text string, x *engine.Execution) error {
	stmt, err := c.Prepare(text)
	if err != nil {
		return err
	}
	bindNumbers(stmt, x)
	if stmt.BindParamCount() == executionWidth {
		stmt.BindText(executionWidth-1, x.Details)
		stmt.BindText(executionWidth, x.Reason)
	}
	return rows(stmt, nil)
}

// jobVersion returns a job's version after this group's changes so far; 0 if it does not exist.
func (t *tx) jobVersion(seq int64) (int64, error) {
	version, _, err := value(t.conn, "SELECT version FROM jobs WHERE seq = ?", seq)
	return version, err
}

// DeleteExecutions implements engine.Tx.
func (t *tx) DeleteExecutions(list []engine.Execution) (n int, err error) {
	for i := range list {
		x := &list[i]
		ended := x.Status >= engine.FirstEnded
		if ended {
			if err := t.addToReason(x.Job, x.Thing, -1); err != nil {
				return n, err
			}
		}
		err := numbers(t.conn, "DELETE FROM executions WHERE job = ? AND thing = ? AND number = ? AND version = ?", nil,
			x.Job, x.Thing, x.Number, x.Version)
		if err != nil {
			return n, err
		}
		if t.conn.Changes() == 0 {
			if ended {
				err = t.addToReason(x.Job, x.Thing, 1)
			}
			if err != nil {
				return n, err
			}
			continue
		}
		n++
		t.count(x.Job, x.Status, -1)
		t.drop(x.Thing, x.Job)
	}
	return n, nil
}

// DeleteAttempts implements engine.Tx.
func (t *tx) DeleteAttempts(keys []engine.AttemptKey) (n int, err error) {
	for _, k := range keys {
		err := numbers(t.conn, "DELETE FROM attempts WHERE job = ?1 AND thing = ?2 AND (?3 = 0 OR number = ?3)", nil,
			k.Job, k.Thing, k.Number)
		if err != nil {
			return n, err
		}
		n += t.conn.Changes()
	}
	return n, nil
}
