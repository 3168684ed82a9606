package jobs

import (
	"context"
	"fmt"
	"time"
)

// drive takes a job's next step, and keeps its counts over time.
func (s *Service) drive(ctx context.Context, now time.Time, jobID string) (bool, error) {
	j, p, err := s.store.State(ctx, jobID)
	if err != nil {
		return false, ignoreRace(err)
	}
	s.sample(ctx, now, j, &p)
	return s.step(ctx, now, j, p)
}

// step takes the one step that planJob says, and says whether there was one.
func (s *Service) step(ctx context.Context, now time.Time, j *Job, p Progress) (_ bool, err error) {
	jobID := j.ID
	if j.Abort != nil && j.Retry != nil && j.Pending() {
		if p.Retried, err = s.store.Retried(ctx, j); err != nil {
			return false, err
		}
	}
	next, err := planJob(j, &p, now, s.limits.ChunkSize)
	if err != nil {
		s.log.Error("jobs: cannot plan", "job", jobID, "error", err) // the record is broken: leave it to the operator
		return false, nil
	}
	stepped, err := s.take(ctx, now, j, &p, &next)
	if err != nil {
		return false, fmt.Errorf("cannot take a step of job %q: %w", jobID, err)
	}
	if stepped {
		s.scheduler.want(jobID)
		return true, nil
	}
	s.scheduler.later(jobID, next.wake)
	if j.Status.Terminal() && j.Sweep == SweepNone && p.Counts.Pending() == 0 { // nobody asks for its document any more
		s.forget(jobID)
		s.samples.forget(j.Row)
	}
	return false, nil
}

// take carries out a plan.
func (s *Service) take(ctx context.Context, now time.Time, j *Job, p *Progress, next *plan) (bool, error) {
	switch {
	case next.swap != nil:
		return s.takeSwap(ctx, now, p, next)
	case next.remove:
		err := s.store.RemoveJob(ctx, j.ID)
		if err == nil {
			s.forget(j.ID)
			s.publishJob(EventJobDeleted, j, &p.Counts, now)
		}
		return err == nil, ignoreRace(err)
	case next.sweep:
		r, err := s.store.SweepJob(ctx, SweepChunk{JobID: j.ID, Limit: s.limits.ChunkSize, Now: now, Names: s.direct()})
		if err == nil && j.Sweep != SweepDelete {
			s.publishExecutions(r.Executions)
		}
		return err == nil, ignoreRace(err)
	case next.queue.n > 0:
		r, err := s.store.QueueChunk(ctx, QueueChunk{
			JobID: j.ID, After: p.Chunks, Limit: next.queue.n, Now: now, Names: s.direct(),
			Pace: next.queue.pace, Each: next.queue.each,
		})
		if err == nil {
			s.publishQueued(j, &r, now)
		}
		return err == nil, ignoreRace(err)
	}
	return false, nil
}

// takeSwap puts a job's next state in place.
func (s *Service) takeSwap(ctx context.Context, now time.Time, p *Progress, next *plan) (bool, error) {
	j, err := s.store.SwapJob(ctx, *next.swap)
	if err != nil {
		return false, ignoreRace(err)
	}
	s.publishJob(next.event, j, &p.Counts, now)
	return true, nil
}

// timeOut ends a chunk of the executions whose timers have run out.
func (s *Service) timeOut(ctx context.Context, now time.Time) (bool, error) {
	if !s.scheduler.timersDue(now) {
		return false, nil
	}
	due, next, err := s.store.Due(ctx, now, s.limits.ChunkSize)
	if err != nil {
		return false, fmt.Errorf("cannot find timers that ran out: %w", err)
	}
	s.scheduler.timerAt(next)
	if len(due) == 0 {
		return false, nil
	}
	swaps := make([]Swap, 0, len(due))
	for i := range due {
		if due[i].ended() { // its job's sweep is on its way to it
			continue
		}
		one := Swap{Old: due[i]}
		one.New, one.Next = due[i].timeOut(now)
		swaps = append(swaps, one)
	}
	if err := s.store.Swap(ctx, swaps); err != nil {
		return false, fmt.Errorf("cannot time out executions: %w", err)
	}
	for i := range swaps {
		if swaps[i].Applied {
			s.publishSwap(&swaps[i])
			s.scheduler.want(swaps[i].New.Job.ID)
		}
	}
	return true, nil
}

// sweepGroups ends a chunk of the memberships of deleted groups.
func (s *Service) sweepGroups(ctx context.Context, now time.Time) (bool, error) {
	removed, more, err := s.store.SweepGroups(ctx, s.limits.ChunkSize, now)
	if err != nil {
		return false, fmt.Errorf("cannot end the memberships of deleted groups: %w", err)
	}
	if more {
		s.scheduler.wantGroups()
	}
	s.settleAll(removed)
	return more || len(removed) > 0, nil
}

// settleAll tells of executions that ended, and puts their jobs on the schedule.
func (s *Service) settleAll(ended []Execution) {
	s.publishExecutions(ended)
	for i := range ended {
		s.scheduler.want(ended[i].Job.ID)
	}
}
