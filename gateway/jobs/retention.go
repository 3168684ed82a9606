package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How often the driver looks for jobs whose retention has passed, how many of them are deleted at once, and how many
// jobs it looks at in one query.
const (
	retainEvery    = 30 * time.Second
	retainDeleting = 10
	retainPage     = 100
)

// retain begins to delete jobs that ended longer than the retention ago, some at a time: their executions go in chunks, as
// those of any job that is deleted. A job whose executions still run, which cancellation without force leaves, is kept
// until they have ended.
func (s *Service) retain(ctx context.Context, now time.Time) (worked bool, err error) {
	if s.retention <= 0 || (now.Sub(s.retained) < retainEvery && !now.Before(s.retained)) {
		return false, nil
	}
	old, busy, err := s.ended(ctx, now.Add(-s.retention))
	if err != nil {
		return false, fmt.Errorf("cannot list jobs whose retention has passed: %w", err)
	}
	for _, j := range old {
		if err := s.expire(ctx, now, j); err != nil {
			return worked, fmt.Errorf("cannot delete job %q, whose retention has passed: %w", j.ID, err)
		}
		worked = true
	}
	if !worked && !busy { // else the next round looks for more
		s.retained = now
	}
	return worked, nil
}

// ended returns some of the jobs that ended before t. busy says that as many as may be are being deleted already.
func (s *Service) ended(ctx context.Context, t time.Time) (old []*Job, busy bool, err error) {
	active, err := s.store.ActiveJobs(ctx)
	if err != nil {
		return nil, false, err
	}
	room := retainDeleting
	for _, j := range active {
		if j.Status == JobDeleting {
			room--
		}
	}
	page := Page{Limit: retainPage}
	for room > 0 {
		list, next, err := s.store.Jobs(ctx, JobQuery{EndedBefore: t}, page)
		if err != nil {
			return nil, false, err
		}
		for i := range list {
			j, counts := list[i].Job, &list[i].Progress.Counts
			if j.Status.Terminal() && j.Sweep == SweepNone && counts.Pending() == 0 && len(old) < room {
				old = append(old, j)
			}
		}
		if page.After = next; next == "" || len(old) == room {
			break
		}
	}
	return old, room <= 0, nil
}

// expire begins to delete a job.
func (s *Service) expire(ctx context.Context, now time.Time, j *Job) error {
	next := *j
	next.Status, next.Sweep, next.Stopped = JobDeleting, SweepDelete, true
	next.Version, next.UpdatedAt = j.Version+1, now
	deleting, err := s.store.SwapJob(ctx, next)
	if errors.Is(err, ErrVersionConflict) || errors.Is(err, ErrNotFound) { // somebody else changes it
		return nil
	}
	if err != nil {
		return err
	}
	s.log.Info("jobs: retention has passed, the job is deleted", "job", j.ID, "ended", j.CompletedAt)
	s.forget(j.ID)
	s.publishJob(EventJobDeleting, deleting, &Counts{}, now)
	s.scheduler.want(j.ID)
	return nil
}
