package sqlite

import (
	"context"
	"errors"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// SweepJob implements jobs.JobStore.
func (s *Store) SweepJob(ctx context.Context, c jobs.SweepChunk) (result jobs.SweepResult, err error) {
	err = s.writeSet(ctx, c.Limit, func(t *tx) error {
		result = jobs.SweepResult{}
		return t.sweepJob(&c, &result)
	})
	return result, err
}

func (t *tx) sweepJob(c *jobs.SweepChunk, result *jobs.SweepResult) error {
	j, err := findJob(t.conn, c.JobID)
	if err != nil {
		return err
	}
	if j.job.Sweep == jobs.SweepNone {
		return jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s has nothing to sweep.", c.JobID)
	}
	first := j.sweepThing
	chunk, done, err := t.sweepable(j, c)
	if err != nil {
		return err
	}
	result.Done = done
	for i := range chunk {
		if err := t.sweepOne(j, &chunk[i], c, result); err != nil {
			return err
		}
	}
	if j.job.Sweep == jobs.SweepDelete {
		if err := t.purgeThings(first+1, j.sweepThing); err != nil {
			return err
		}
	}
	j.progress.Swept = result.Done
	if err := j.saveProgress(t.conn); err != nil {
		return err
	}
	return t.stageProgress(j)
}

// errEnough ends a statement before its last row.
var errEnough = errors.New("enough rows")

// sweepable returns the next executions that the sweep concerns, and moves on past those and past others, but not for
// ever: scanFactor holds here too. done says that it has come to the end.
func (t *tx) sweepable(j *jobRow, c *jobs.SweepChunk) (chunk []row, done bool, err error) {
	highest := jobs.Status(jobs.Statuses)
	switch j.job.Sweep {
	case jobs.SweepCancelQueued:
		highest = jobs.Queued
	case jobs.SweepCancelAll:
		highest = jobs.InProgress
	}
	scan := max(scanFactor*c.Limit, minScan)
	err = numbers(t.conn, "SELECT "+executionColumns+" FROM executions WHERE job = ? AND thing > ? ORDER BY thing",
		func(stmt *sqlite.Stmt) error {
			if scan--; scan < 0 || len(chunk) == c.Limit {
				return errEnough
			}
			j.sweepThing = stmt.ColumnInt64(1)
			if status(stmt, statusColumn) <= highest {
				chunk = append(chunk, scanRow(stmt))
			}
			return nil
		}, j.seq, j.sweepThing)
	if errors.Is(err, errEnough) {
		return chunk, false, nil
	}
	return chunk, err == nil, err
}

// sweepOne cancels or deletes an execution.
func (t *tx) sweepOne(j *jobRow, r *row, c *jobs.SweepChunk, result *jobs.SweepResult) error {
	result.Swept++
	t.count(j.seq, r.status, -1)
	if !r.status.Terminal() {
		t.drop(r.thing, j.seq, nil)
	}
	if j.job.Sweep == jobs.SweepDelete {
		if err := numbers(t.conn, "DELETE FROM attempts WHERE job = ? AND thing = ?", nil, j.seq, r.thing); err != nil {
			return err
		}
		return numbers(t.conn, "DELETE FROM executions WHERE job = ? AND thing = ?", nil, j.seq, r.thing)
	}
	name := ""
	if c.Names {
		name = t.view.nameOf(r.thing)
	}
	before := r.execution(name, j.job)
	e, _ := before.Sweep(j.job.Sweep, c.Now)
	now := rowOf(&e, j.seq, r.thing)
	t.count(j.seq, now.status, 1)
	if c.Names {
		result.Executions = append(result.Executions, e)
	}
	_, err := t.update(&now, r.number, r.version)
	return err
}

// purgeThings removes the things of a span of ids that were deleted and that nothing names any more.
func (t *tx) purgeThings(first, last int64) error {
	return numbers(t.conn, `DELETE FROM things WHERE deleted = 1 AND id BETWEEN ? AND ?
		AND NOT EXISTS (SELECT 1 FROM executions WHERE thing = things.id)
		AND NOT EXISTS (SELECT 1 FROM attempts WHERE thing = things.id)
		AND NOT EXISTS (SELECT 1 FROM targets WHERE is_group = 0 AND ref = things.id)`, nil, first, last)
}

// RemoveJob implements jobs.JobStore.
func (s *Store) RemoveJob(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error { return t.removeJob(id) })
}

func (t *tx) removeJob(id string) error {
	j, err := findJob(t.conn, id)
	if err != nil {
		return err
	}
	left, _, err := value(t.conn, "SELECT count(*) FROM (SELECT 1 FROM executions WHERE job = ? LIMIT 1)", j.seq)
	if err != nil {
		return err
	}
	if left > 0 || j.job.Status != jobs.JobDeleting {
		return jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s is %s and still there.", id, j.job.Status)
	}
	var targets []target
	err = numbers(t.conn, "SELECT is_group, ref FROM targets WHERE job = ?", func(stmt *sqlite.Stmt) error {
		targets = append(targets, target{stmt.ColumnBool(0), stmt.ColumnInt64(1)})
		return nil
	}, j.seq)
	if err != nil {
		return err
	}
	for _, text := range []string{
		"DELETE FROM targets WHERE job = ?", "DELETE FROM documents WHERE job = ?", "DELETE FROM jobs WHERE seq = ?",
	} {
		if err := numbers(t.conn, text, nil, j.seq); err != nil {
			return err
		}
	}
	if err := t.purgeTargets(targets); err != nil {
		return err
	}
	t.after(func() {
		if e := t.view.jobs.bySeq[j.seq]; e != nil {
			t.view.jobs.remove(e)
		}
	})
	return t.removeTags(jobs.Resource{Kind: jobs.KindJob, Name: id}, nil)
}

// purgeTargets removes what was deleted while a job named it, if no other does.
func (t *tx) purgeTargets(targets []target) error {
	for _, goal := range targets {
		var err error
		if goal.group {
			err = numbers(t.conn, `DELETE FROM groups WHERE id = ?1 AND deleted = 2
				AND NOT EXISTS (SELECT 1 FROM targets WHERE is_group = 1 AND ref = ?1)`, nil, goal.ref)
		} else {
			err = t.purgeThings(goal.ref, goal.ref)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
