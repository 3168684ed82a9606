package rules

import (
	"context"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// SweepJob implements jobs.JobStore.
func (s *Store) SweepJob(ctx context.Context, c jobs.SweepChunk) (result jobs.SweepResult, err error) {
	err = s.background(ctx, c.Limit, func(t engine.Tx) error {
		w := sweep{tx: t, c: &c, publish: s.shared}
		err := w.run()
		result = w.result
		if err == nil {
			err = s.publishExecutions(t, w.changed)
		}
		return err
	})
	return result, err
}

// sweep is a chunk of a job's sweep. It walks through the executions by thing; Progress.SweepThing is its position.
type sweep struct {
	tx      engine.Tx
	c       *jobs.SweepChunk
	job     *jobs.Job
	result  jobs.SweepResult
	publish bool // publish to the feed

	changed []jobs.Execution   // the canceled executions, if they are published
	changes []engine.Change    // executions to be canceled
	gone    []engine.Execution // executions to be deleted
}

func (w *sweep) run() error {
	state, j, err := findJob(w.tx, w.c.JobID)
	if err != nil {
		return err
	}
	if w.job = j; j.Sweep == jobs.SweepNone {
		return jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s has nothing to sweep.", w.c.JobID)
	}
	p := &state.Progress
	scan := max(w.c.Limit, minScan)
	rows, err := w.tx.ListOfJob(j.Row, engine.ExecutionQuery{}, p.SweepThing, scan)
	if err != nil {
		return err
	}
	w.result.Done = len(rows) < scan
	for i := range rows {
		if w.result.Swept == w.c.Limit {
			w.result.Done = false
			break
		}
		p.SweepThing = rows[i].Thing
		w.one(&rows[i])
	}
	if err := apply(w.tx, w.changes); err != nil {
		return err
	}
	if err := w.remove(); err != nil {
		return err
	}
	p.Swept = w.result.Done
	return w.tx.PutProgress(j.Row, p)
}

// one decides what to do with an execution.
func (w *sweep) one(row *engine.Execution) {
	if w.job.Sweep == jobs.SweepDelete {
		w.result.Swept++
		w.gone = append(w.gone, *row)
		return
	}
	before := execution(row, row.Name, w.job)
	e, changed := before.Sweep(w.job.Sweep, w.c.Now)
	if !changed {
		return
	}
	w.result.Swept++
	w.changes = append(w.changes, change(&before, &e))
	if w.c.Names {
		w.result.Executions = append(w.result.Executions, e)
	}
	if w.publish {
		w.changed = append(w.changed, e)
	}
}

// remove deletes executions with their attempts, and deleted things whose rows were kept for them.
func (w *sweep) remove() error {
	if len(w.gone) == 0 {
		return nil
	}
	keys, things := make([]engine.AttemptKey, len(w.gone)), make([]int64, len(w.gone))
	for i := range w.gone {
		things[i] = w.gone[i].Thing
		keys[i].Key = engine.Key{Job: w.gone[i].Job, Thing: things[i]}
	}
	if _, err := w.tx.DeleteAttempts(keys); err != nil {
		return err
	}
	if _, err := w.tx.DeleteExecutions(w.gone); err != nil {
		return err
	}
	return w.tx.PurgeThings(things)
}
