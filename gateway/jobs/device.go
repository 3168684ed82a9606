package jobs

import (
	"context"
	"errors"
	"time"
)

// swapAttempts bounds how often an operation starts again because another change came between its reading and its
// writing. Each attempt that loses means that somebody else's won.
const swapAttempts = 16

// GetPending answers GetPendingJobExecutions. The lists lie in buf's array if it is large enough.
func (s *Service) GetPending(ctx context.Context, thing string, buf []Execution) (PendingExecutions, error) {
	return s.GetPendingIn(ctx, thing, Namespace{}, buf)
}

// GetPendingIn is GetPending for the jobs of a namespace.
func (s *Service) GetPendingIn(ctx context.Context, thing string, namespace Namespace, buf []Execution) (PendingExecutions, error) {
	list, err := s.store.Pending(ctx, buf[:0], thing)
	if err != nil {
		return PendingExecutions{}, err
	}
	running, n := 0, 0
	for i := range list {
		if !list[i].Visible() || !namespace.has(list[i].Job) || n == s.limits.MaxPending {
			continue
		}
		if list[i].Status == InProgress {
			running++
		}
		list[n] = list[i]
		n++
	}
	return PendingExecutions{InProgress: list[:running], Queued: list[running:n]}, nil
}

// Describe answers the data plane's DescribeJobExecution. found is false only for Next, when nothing is pending: that
// is AWS's empty answer, not an error.
func (s *Service) Describe(ctx context.Context, r DescribeExecutionRequest) (d Described, found bool, err error) {
	if r.JobID == Next {
		found, err = s.next(ctx, r.Thing, r.Namespace, &d.Execution)
	} else {
		found = true
		d.Execution, err = s.describable(ctx, r)
	}
	if err != nil || !found || !r.Document {
		return d, found && err == nil, err
	}
	d.Document, err = s.document(ctx, d.Execution.Job)
	return d, err == nil, err
}

// describable returns an execution that its device may read; one that has ended it may not (AWS.md §4, TerminalState).
func (s *Service) describable(ctx context.Context, r DescribeExecutionRequest) (Execution, error) {
	e, err := s.reported(ctx, r.Thing, r.JobID, r.Number, r.Namespace)
	if err != nil {
		return e, err
	}
	if e.ended() {
		terminal := Errorf(ErrTerminalState, "The job execution has ended with status %s.", e.shown())
		state := e
		state.Status = e.shown()
		terminal.Execution = &state
		return e, terminal
	}
	return e, nil
}

// reported returns an execution as far as its device can see it: those of a job under deletion are gone, and whoever asks
// for one of a namespace gets none of another. Without a namespace all are found by their id.
func (s *Service) reported(ctx context.Context, thing, jobID string, number int64, namespace Namespace) (Execution, error) {
	e, err := s.store.Execution(ctx, thing, jobID, number)
	if err == nil && (e.Job.Status == JobDeleting || namespace.ID != "" && !namespace.has(e.Job)) {
		return e, Errorf(ErrNotFound, "Job %s does not exist for thing %s.", jobID, thing)
	}
	return e, err
}

// next finds a thing's next pending execution.
func (s *Service) next(ctx context.Context, thing string, namespace Namespace, e *Execution) (bool, error) {
	buf := s.scratch.Get().(*[]Execution)
	defer func() {
		clear(*buf)
		s.scratch.Put(buf)
	}()
	list, err := s.store.Pending(ctx, (*buf)[:0], thing)
	if err != nil {
		return false, err
	}
	*buf = list
	for i := range list {
		if list[i].Visible() && namespace.has(list[i].Job) {
			*e = list[i]
			return true, nil
		}
	}
	return false, nil
}

// StartNext answers StartNextPendingJobExecution: the next pending execution, started if it was queued, with its
// document. found is false when nothing is pending. One that runs already is answered as it is; only its step timer is
// set again if r says one.
func (s *Service) StartNext(ctx context.Context, now time.Time, r StartNextRequest) (d Described, found bool, err error) {
	now = stored(now)
	for range swapAttempts {
		var e Execution
		if found, err = s.next(ctx, r.Thing, r.Namespace, &e); err != nil || !found {
			return Described{}, false, err
		}
		rep := report{status: InProgress, stepMinutes: r.StepMinutes}
		if e.Status == Queued && r.Details != nil {
			rep.details, rep.hasDetails = NewStatusDetails(r.Details), true
		}
		d, err = s.report(ctx, now, &e, rep, true, r.Before, e.Status == InProgress && r.StepMinutes == 0)
		if !errors.Is(err, errLostRace) {
			return d, err == nil, err
		}
	}
	return Described{}, false, errLostRace
}

// Update answers UpdateJobExecution: the execution as it is after the device's report.
func (s *Service) Update(ctx context.Context, now time.Time, r UpdateExecutionRequest) (Described, error) {
	now = stored(now)
	rep := report{status: r.Status, stepMinutes: r.StepMinutes}
	if r.Details != nil {
		rep.details, rep.hasDetails = NewStatusDetails(r.Details), true
	}
	for range swapAttempts {
		e, err := s.reported(ctx, r.Thing, r.JobID, r.Number, r.Namespace)
		if err != nil {
			return Described{}, err
		}
		if r.ExpectedVersion != 0 && r.ExpectedVersion != e.Version {
			return Described{}, e.versionConflict(r.ExpectedVersion)
		}
		d, err := s.report(ctx, now, &e, rep, r.Document, r.Before, false)
		if !errors.Is(err, errLostRace) {
			return d, err
		}
	}
	return Described{}, errLostRace
}

// report applies what a device says to e and stores it, after before has agreed. unchanged answers e as it is.
func (s *Service) report(ctx context.Context, now time.Time, e *Execution, r report, document bool, before Before, unchanged bool) (Described, error) {
	d := Described{Execution: *e}
	var follower *Execution
	var err error
	if !unchanged {
		if d.Execution, follower, err = r.apply(e, now); err != nil {
			return Described{}, err
		}
	}
	if document {
		if d.Document, err = s.document(ctx, e.Job); err != nil {
			return Described{}, err
		}
	}
	if before != nil {
		if err := before(&d); err != nil {
			return Described{}, err
		}
	}
	if unchanged {
		return d, nil
	}
	return d, s.swap(ctx, Swap{Old: *e, New: d.Execution, Next: follower})
}

// swap stores one change of an execution, tells of it, and lets its job take the step that follows.
func (s *Service) swap(ctx context.Context, one Swap) error {
	swaps := [1]Swap{one}
	if err := s.store.Swap(ctx, swaps[:]); err != nil {
		return err
	}
	if !swaps[0].Applied {
		return errLostRace
	}
	s.publishSwap(&swaps[0])
	if one.New.Status.Terminal() {
		s.scheduler.want(one.New.Job.ID) // who drives the job sees whether it was the last, or one failure too many
	} else if due, ok := one.New.Due(); ok {
		s.scheduler.expect(due)
	}
	return nil
}

// errLostRace is an operation whose execution changes faster than it can read it.
var errLostRace = Errorf(ErrConflict, "The job execution is being changed by others; try again.")

// versionConflict is a version that is not the expected one, with the state as it is.
func (e *Execution) versionConflict(expected int64) *Error {
	err := Errorf(ErrVersionConflict, "The job execution has version %d, expected was %d.", e.Version, max(expected, 0))
	state := *e
	state.Status = e.shown()
	err.Execution = &state
	return err
}
