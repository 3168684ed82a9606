package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run drives timers, rollouts and sweeps until ctx ends. It logs what goes wrong and tries again; every step is in the
// store when the next begins. Where several processes share the store, the one that leads drives; the others stand by.
func (s *Service) Run(ctx context.Context) {
	if s.shared {
		var following sync.WaitGroup
		defer following.Wait()
		following.Go(func() { s.follow(ctx) })
	}
	defer s.resign()
	for ctx.Err() == nil {
		if !s.leads(ctx) {
			continue
		}
		s.prune(ctx, time.Now())
		worked, err := s.round(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			s.log.Error("jobs: cannot take a step", "error", err)
			worked = false
		}
		if !worked {
			s.pause(ctx, s.scheduler.next())
		}
	}
}

// leads says whether this process drives; if not, it returns when it is time to ask again.
func (s *Service) leads(ctx context.Context) bool {
	leads, again, err := s.store.Lead(ctx)
	if err != nil && ctx.Err() == nil {
		s.log.Warn("jobs: cannot find out who drives the jobs", "error", err)
	}
	if s.leading.Store(leads); leads {
		return true
	}
	s.scheduler.take(time.Now()) // it is another's work
	select {
	case <-ctx.Done():
	case <-time.After(max(again, gatherFor)):
	}
	s.scheduler.lookAtAll() // should this process lead now
	return false
}

// resign hands over at the end of Run.
func (s *Service) resign() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.store.Resign(ctx); err != nil && !errors.Is(err, ErrClosed) {
		s.log.Warn("jobs: cannot hand over to another gateway at once", "error", err)
	}
	s.leading.Store(false)
}

// Leads says whether this process drives timers, rollouts and sweeps at present, for metrics.
func (s *Service) Leads() bool { return s.leading.Load() }

// pause waits until t, or until something is put on the schedule; for gatherFor in any case, so that a thousand reports are
// one look at their job.
func (s *Service) pause(ctx context.Context, t time.Time) {
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	timer.Reset(max(0, time.Until(t)))
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-s.scheduler.kick:
	}
}

// Tick takes every step that is due at now, and returns when there is none left. It is Run for tests and tools, with a
// clock of their own; do not run both.
func (s *Service) Tick(ctx context.Context, now time.Time) error {
	for {
		s.scheduler.lookAtAll()
		worked, err := s.round(ctx, now)
		if err != nil || !worked {
			return err
		}
	}
}

// round takes one step of everything that has one due: a chunk of time-outs, a chunk of group deletions, a chunk of
// each job's work. So no job waits for the end of another, nor for one whose step fails: that is tried again a second
// later. It returns the first error.
func (s *Service) round(ctx context.Context, now time.Time) (worked bool, err error) {
	now = stored(now)
	done := func(did bool, failure error) {
		worked = worked || did
		if err == nil {
			err = failure
		}
	}
	done(s.timeOut(ctx, now))
	done(s.retain(ctx, now))
	ids, groups, all := s.scheduler.take(now)
	if all {
		active, failure := s.allJobs(ctx, ids)
		ids = active
		done(false, failure)
	}
	if groups {
		done(s.sweepGroups(ctx, now))
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return worked, ctx.Err()
		}
		stepped, failure := s.drive(ctx, now, id)
		if failure != nil {
			s.scheduler.later(id, now.Add(time.Second))
		}
		done(stepped, failure)
	}
	return worked, err
}

// allJobs adds the active jobs to ids, which keep their place.
func (s *Service) allJobs(ctx context.Context, ids []string) ([]string, error) {
	have := make(map[string]bool, len(ids))
	for _, id := range ids {
		have[id] = true
	}
	active, err := s.store.ActiveJobs(ctx)
	if err != nil {
		return ids, fmt.Errorf("cannot list active jobs: %w", err)
	}
	for _, j := range active {
		if !have[j.ID] {
			ids = append(ids, j.ID)
		}
	}
	return ids, nil
}

// begin takes a job's next step at once, and leaves the others to Run. What goes wrong is Run's to try again.
func (s *Service) begin(ctx context.Context, now time.Time, jobID string) {
	for i := range swapAttempts {
		stepped := false
		j, p, err := s.store.State(ctx, jobID)
		if err == nil && i > 0 && j.chunked(&p) {
			break
		}
		if err == nil {
			stepped, err = s.step(ctx, now, j, p)
		}
		if ignoreRace(err) != nil {
			s.log.Warn("jobs: cannot take a step", "job", jobID, "error", err)
		}
		if err != nil || !stepped {
			break
		}
	}
	s.scheduler.want(jobID)
}

// chunked says whether a job has chunks of work before it.
func (j *Job) chunked(p *Progress) bool {
	return (j.Sweep != SweepNone && !p.Swept) || (j.Queues() && !p.Done && p.Started)
}

// ignoreRace drops the errors that mean that another step came first.
func ignoreRace(err error) error {
	if errors.Is(err, ErrVersionConflict) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalidStateTransition) {
		return nil
	}
	return err
}
