package rules

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// execution returns a row as an execution of a thing and a job.
func execution(row *engine.Execution, thing string, j *jobs.Job) jobs.Execution {
	return jobs.Execution{
		Thing: thing, ThingRow: row.Thing, Job: j, Number: row.Number, Version: row.Version, Status: jobs.Status(row.Status),
		Retry: row.Retry, RetryTimedOut: row.RetryTimedOut, Forced: row.Forced, Details: jobs.StatusDetails(row.Details),
		QueuedAt: instant(row.Queued), StartedAt: instant(row.Started), UpdatedAt: instant(row.Updated),
		Deadline: instant(row.Deadline), StepDeadline: instant(row.Step),
	}
}

// executionOf returns a row, read with its thing's name and its job, as an execution.
func executionOf(row *engine.Execution) (jobs.Execution, error) {
	j, err := jobOf(row.Of)
	if err != nil {
		return jobs.Execution{}, err
	}
	return execution(row, row.Name, j), nil
}

// row returns an execution as its row.
func row(e *jobs.Execution) engine.Execution {
	reason := ""
	if e.Status.Terminal() {
		reason = e.Reason()
	}
	return engine.Execution{
		Job: e.Job.Row, Thing: e.ThingRow, Number: e.Number, Version: e.Version, Status: uint8(e.Status),
		Retry: e.Retry, RetryTimedOut: e.RetryTimedOut, Forced: e.Forced, Details: string(e.Details),
		Queued: millis(e.QueuedAt), Started: millis(e.StartedAt), Updated: millis(e.UpdatedAt),
		Deadline: millis(e.Deadline), Step: millis(e.StepDeadline), Reason: reason,
	}
}

// change returns the change that replaces an execution by another.
func change(before, after *jobs.Execution) engine.Change {
	return engine.Change{
		Key:    engine.Key{Job: before.Job.Row, Thing: before.ThingRow},
		Number: before.Number, Version: before.Version, Status: uint8(before.Status), New: row(after),
	}
}

// Pending implements jobs.ExecutionStore.
func (s *Store) Pending(ctx context.Context, dst []jobs.Execution, thing string) ([]jobs.Execution, error) {
	list := s.lists.Get().(*[]engine.Execution)
	defer s.lists.Put(list)
	rows, err := s.engine.Pending(ctx, (*list)[:0], thing)
	*list = rows
	from := len(dst)
	for i := range rows {
		if err != nil {
			break
		}
		var j *jobs.Job
		if j, err = jobOf(rows[i].Of); err == nil {
			dst = append(dst, execution(&rows[i], thing, j))
		}
	}
	clear(rows) // so that the pool does not retain jobs
	if err != nil {
		if errors.Is(err, engine.ErrNotFound) {
			err = noThing(thing)
		}
		return dst[:from], problem(err)
	}
	if len(dst)-from > 1 {
		slices.SortFunc(dst[from:], func(a, b jobs.Execution) int {
			if a.Before(&b) {
				return -1
			}
			return 1
		})
	}
	return dst, nil
}

// Execution implements jobs.ExecutionStore.
func (s *Store) Execution(ctx context.Context, thing, jobID string, attempt int64) (jobs.Execution, error) {
	row, err := s.engine.Execution(ctx, thing, jobID)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return jobs.Execution{}, s.missing(ctx, thing, jobID)
	case err != nil:
		return jobs.Execution{}, problem(err)
	case attempt == 0 || attempt == row.Number:
		row.Name = thing
		return executionOf(&row)
	}
	return s.attempt(ctx, engine.Key{Job: row.Job, Thing: row.Thing}, attempt, thing, row.Of)
}

// attempt returns a superseded attempt.
func (s *Store) attempt(ctx context.Context, k engine.Key, number int64, thing string, of *engine.Job) (e jobs.Execution, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		past, err := r.Attempts(k)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(past, func(x engine.Execution) bool { return x.Number == number })
		if i < 0 {
			return noExecution(thing, of.ID)
		}
		past[i].Name, past[i].Of = thing, of
		e, err = executionOf(&past[i])
		return err
	})
	return e, err
}

// missing returns the error for what does not exist: the thing, the job or the execution.
func (s *Store) missing(ctx context.Context, thing, jobID string) error {
	return s.view(ctx, func(r engine.Reader) error {
		rows, err := r.Things([]string{thing})
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return noThing(thing)
		}
		if _, _, err := findJob(r, jobID); err != nil {
			return err
		}
		return noExecution(thing, jobID)
	})
}

// statuses is a query's status.
func statuses(q *jobs.ExecutionQuery) engine.StatusSet {
	if q.ByStatus {
		return engine.SetOf(uint8(q.Status))
	}
	return 0
}

// OfJob implements jobs.ExecutionStore. The order is by the things' numbers.
func (s *Store) OfJob(ctx context.Context, jobID string, q jobs.ExecutionQuery, p jobs.Page) (list []jobs.Execution, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		_, j, err := findJob(r, jobID)
		if err != nil {
			return err
		}
		rows, err := r.ListOfJob(j.Row, engine.ExecutionQuery{Statuses: statuses(&q)}, number(p.After), p.Limit+1)
		if err != nil {
			return err
		}
		rows, next = page(rows, p.Limit, func(x *engine.Execution) string { return strconv.FormatInt(x.Thing, 10) })
		list = make([]jobs.Execution, len(rows))
		for i := range rows {
			list[i] = execution(&rows[i], rows[i].Name, j)
		}
		return nil
	})
	return list, next, err
}

// OfThing implements jobs.ExecutionStore.
func (s *Store) OfThing(ctx context.Context, thing string, q jobs.ExecutionQuery, p jobs.Page) (list []jobs.Execution, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		things, err := r.Things([]string{thing})
		if err != nil {
			return err
		}
		if len(things) == 0 {
			return noThing(thing)
		}
		var before engine.AttemptKey
		before.Job, before.Number = pair(p.After)
		which := engine.ExecutionQuery{Statuses: statuses(&q), JobID: q.JobID, Namespace: q.NamespaceID}
		rows, err := r.ListOfThing(things[0].ID, which, before, p.Limit+1)
		if err != nil {
			return err
		}
		rows, next = page(rows, p.Limit, func(x *engine.Execution) string { return cursor(x.Job, x.Number) })
		list = make([]jobs.Execution, len(rows))
		for i := range rows {
			rows[i].Name = thing
			if list[i], err = executionOf(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, next, err
}

// Swap implements jobs.ExecutionStore.
func (s *Store) Swap(ctx context.Context, swaps []jobs.Swap) error {
	if len(swaps) == 0 {
		return nil
	}
	buf := s.change.Get().(*[]engine.Change)
	defer s.change.Put(buf)
	changes := (*buf)[:0]
	var again []*jobs.Swap // swaps that change the count of retries
	for i := range swaps {
		w := &swaps[i]
		if w.Applied = false; !possible(w) {
			continue
		}
		if retries(w) {
			again = append(again, w)
			continue
		}
		c, err := s.swapped(w)
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	var err error
	if len(changes) > 0 {
		err = problem(s.engine.Apply(ctx, changes))
	}
	n := 0
	for i := range swaps {
		if w := &swaps[i]; possible(w) && !retries(w) {
			w.Applied = changes[n].Applied
			n++
		}
	}
	clear(changes)
	if *buf = changes[:0]; cap(changes) > keptChanges {
		*buf = nil
	}
	if len(again) > 0 {
		err = errors.Join(err, s.swapAgain(ctx, again))
	}
	return err
}

// swapAgain applies the swaps that change the count of retries.
func (s *Store) swapAgain(ctx context.Context, swaps []*jobs.Swap) error {
	changes := make([]engine.Change, len(swaps))
	for i, w := range swaps {
		var err error
		if changes[i], err = s.swapped(w); err != nil {
			return err
		}
	}
	err := s.swapRetries(ctx, swaps, changes)
	for i, w := range swaps {
		w.Applied = err == nil && changes[i].Applied
	}
	return err
}

// swapped returns a swap as a change.
func (s *Store) swapped(w *jobs.Swap) (c engine.Change, err error) {
	c = change(&w.Old, &w.New)
	if c.Entry, err = s.entry(w); err != nil {
		return c, err
	}
	if w.Next != nil {
		past := c.New
		c.Past, c.New, c.JobVersion = &past, row(w.Next), w.Old.Job.Version
	}
	return c, nil
}

// possible reports whether a swap can apply at all: nothing follows a final state, and a job that ends retries nothing.
func possible(w *jobs.Swap) bool {
	return !w.Old.Status.Terminal() && (w.Next == nil || w.Old.Job.Retries())
}

// keptChanges bounds the buffer kept for the next Swap.
const keptChanges = 64

// Due implements jobs.ExecutionStore.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (due []jobs.Execution, next time.Time, err error) {
	rows, at, err := s.engine.Due(ctx, millis(now), limit)
	if err != nil {
		return nil, next, problem(err)
	}
	due = make([]jobs.Execution, len(rows))
	for i := range rows {
		if due[i], err = executionOf(&rows[i]); err != nil {
			return nil, next, err
		}
	}
	return due, instant(at), nil
}

// DeleteExecution implements jobs.ExecutionStore.
func (s *Store) DeleteExecution(ctx context.Context, e jobs.Execution) error {
	return s.update(ctx, 1, func(t engine.Tx) error {
		key := engine.Key{Job: e.Job.Row, Thing: e.ThingRow}
		latest, err := t.Executions([]engine.Key{key})
		if err != nil {
			return err
		}
		if len(latest) == 0 {
			return executionGone(t, &e)
		}
		if err := s.publish(t, jobs.NoticeExecutions(jobs.EventExecutionGone, []jobs.Execution{e})...); err != nil {
			return err
		}
		past, err := t.Attempts(key)
		if err != nil {
			return err
		}
		if x := &latest[0]; x.Number == e.Number {
			if x.Version != e.Version {
				return executionChanged
			}
			return deleteLatest(t, x, past)
		}
		if !slices.ContainsFunc(past, func(x engine.Execution) bool { return x.Number == e.Number && x.Version == e.Version }) {
			return executionChanged
		}
		_, err = t.DeleteAttempts([]engine.AttemptKey{{Key: key, Number: e.Number}})
		return err
	})
}

// executionGone returns the error for an execution that no longer exists: it was deleted, or its job was, whose ID a new
// job may have.
func executionGone(r engine.Reader, e *jobs.Execution) error {
	_, j, err := findJob(r, e.Job.ID)
	if err == nil && j.Row != e.Job.Row {
		return executionChanged
	}
	if err == nil {
		err = noExecution(e.Thing, e.Job.ID)
	}
	return err
}

// deleteLatest removes a thing's latest execution. The attempt before it, if there is one, becomes the latest.
func deleteLatest(t engine.Tx, x *engine.Execution, past []engine.Execution) error {
	if len(past) == 0 {
		if _, err := t.DeleteExecutions([]engine.Execution{*x}); err != nil {
			return err
		}
		return t.PurgeThings([]int64{x.Thing})
	}
	before := past[len(past)-1]
	key := engine.Key{Job: x.Job, Thing: x.Thing}
	if _, err := t.DeleteAttempts([]engine.AttemptKey{{Key: key, Number: before.Number}}); err != nil {
		return err
	}
	return apply(t, []engine.Change{{Key: key, Number: x.Number, Version: x.Version, Status: x.Status, New: before}})
}
