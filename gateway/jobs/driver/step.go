package driver

import (
	"context"
	"fmt"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/plan"
)

// drive takes a job's next step, and samples its counts.
func (d *Driver) drive(ctx context.Context, now time.Time, jobID string) (bool, error) {
	j, p, err := d.store.State(ctx, jobID)
	if err != nil {
		return false, ignoreRace(err)
	}
	d.sample(ctx, now, j, &p)
	d.publishCounts(ctx, now, j, &p)
	return d.step(ctx, now, j, p)
}

// step takes the step that plan.Next returns, and reports whether there was one.
func (d *Driver) step(ctx context.Context, now time.Time, j *jobs.Job, p jobs.Progress) (_ bool, err error) {
	jobID := j.ID
	if j.Abort != nil && j.Retry != nil && j.Pending() {
		if p.Retried, err = d.store.Retried(ctx, j); err != nil {
			return false, err
		}
	}
	next, err := plan.Next(j, &p, now, d.chunk)
	if err != nil {
		d.log.Error("jobs: cannot plan", "job", jobID, "error", err) // the record is invalid: the operator has to fix it
		return false, nil
	}
	stepped, err := d.take(ctx, now, j, &p, &next)
	if err != nil {
		return false, fmt.Errorf("cannot take a step of job %q: %w", jobID, err)
	}
	if stepped {
		d.Schedule(jobID)
		return true, nil
	}
	d.scheduler.later(jobID, next.Wake)
	if j.Status.Terminal() && j.Sweep == jobs.SweepNone && p.Counts.Pending() == 0 { // its document is no longer needed
		d.documents.Forget(jobID)
		d.samples.forget(j.Row)
	}
	return false, nil
}

// take executes a step.
func (d *Driver) take(ctx context.Context, now time.Time, j *jobs.Job, p *jobs.Progress, next *plan.Step) (bool, error) {
	switch {
	case next.Swap != nil:
		return d.takeSwap(ctx, now, p, next)
	case next.Remove:
		err := d.store.RemoveJob(ctx, j.ID)
		if err == nil {
			d.documents.Forget(j.ID)
			d.publish.Job(jobs.EventJobDeleted, j, &p.Counts, now)
		}
		return err == nil, ignoreRace(err)
	case next.Fill:
		return d.fill(ctx, now, j, p)
	case next.Sweep:
		r, err := d.store.SweepJob(ctx, jobs.SweepChunk{JobID: j.ID, Limit: d.chunk, Now: now, Names: d.publish.Direct()})
		if err == nil && j.Sweep != jobs.SweepDelete {
			d.publish.Executions(r.Executions)
		}
		return err == nil, ignoreRace(err)
	case next.Queue.N > 0:
		r, err := d.store.QueueChunk(ctx, jobs.QueueChunk{
			JobID: j.ID, After: p.Chunks, Limit: next.Queue.N, Now: now, Names: d.publish.Direct(),
			Pace: next.Queue.Pace, Each: next.Queue.Each,
		})
		if err == nil {
			d.publish.Queued(j, &r, now)
			d.published.record(j.ID, jobs.Sample{At: now, Counts: r.Progress.Counts})
		}
		return err == nil, ignoreRace(err)
	}
	return false, nil
}

// fill adds a chunk of things to a retry job's group.
func (d *Driver) fill(ctx context.Context, now time.Time, j *jobs.Job, p *jobs.Progress) (bool, error) {
	r, filled, err := d.store.FillJob(ctx, jobs.FillChunk{JobID: j.ID, Limit: d.chunk, Now: now})
	if err != nil {
		return false, ignoreRace(err)
	}
	d.publish.Executions(r.Queued)
	if !filled.Filling {
		d.publish.Job(jobs.EventJobUpdated, filled, &p.Counts, now)
	}
	return true, nil
}

// takeSwap stores a job's next state.
func (d *Driver) takeSwap(ctx context.Context, now time.Time, p *jobs.Progress, next *plan.Step) (bool, error) {
	j, err := d.store.SwapJob(ctx, *next.Swap)
	if err != nil {
		return false, ignoreRace(err)
	}
	d.publish.Job(next.Event, j, &p.Counts, now)
	return true, nil
}

// timeOut ends a chunk of executions whose timers have expired.
func (d *Driver) timeOut(ctx context.Context, now time.Time) (bool, error) {
	if !d.scheduler.timersDue(now) {
		return false, nil
	}
	due, next, err := d.store.Due(ctx, now, d.chunk)
	if err != nil {
		return false, fmt.Errorf("cannot find timers that ran out: %w", err)
	}
	d.scheduler.timerAt(next)
	if len(due) == 0 {
		return false, nil
	}
	swaps := make([]jobs.Swap, 0, len(due))
	for i := range due {
		if due[i].Ended() { // its job's sweep will end it
			continue
		}
		one := jobs.Swap{Old: due[i]}
		one.New, one.Next = due[i].TimeOut(now)
		swaps = append(swaps, one)
	}
	if err := d.store.Swap(ctx, swaps); err != nil {
		return false, fmt.Errorf("cannot time out executions: %w", err)
	}
	for i := range swaps {
		if swaps[i].Applied {
			d.publish.Swap(&swaps[i])
			d.Schedule(swaps[i].New.Job.ID)
		}
	}
	return true, nil
}

// SweepGroups ends a chunk of the memberships of deleted groups.
func (d *Driver) SweepGroups(ctx context.Context, now time.Time) (bool, error) {
	removed, more, err := d.store.SweepGroups(ctx, d.chunk, now)
	if err != nil {
		return false, fmt.Errorf("cannot end the memberships of deleted groups: %w", err)
	}
	if more {
		d.ScheduleGroups()
	}
	d.Settle(removed)
	return more || len(removed) > 0, nil
}

// Settle publishes executions that ended, and schedules their jobs.
func (d *Driver) Settle(ended []jobs.Execution) {
	d.publish.Executions(ended)
	for i := range ended {
		d.Schedule(ended[i].Job.ID)
	}
}
