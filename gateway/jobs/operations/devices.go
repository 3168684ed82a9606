package operations

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
)

// swapAttempts bounds the retries of an operation after conflicting changes between its read and its write. Each lost
// attempt means that another change succeeded.
const swapAttempts = 16

// GetPending answers GetPendingJobExecutions. The lists use buf's array if it is large enough.
func (s *Service) GetPending(ctx context.Context, thing string, buf []jobs.Execution) (jobs.PendingExecutions, error) {
	return s.GetPendingIn(ctx, thing, jobs.Namespace{}, buf)
}

// GetPendingIn is GetPending for the jobs of a namespace.
func (s *Service) GetPendingIn(ctx context.Context, thing string, namespace jobs.Namespace, buf []jobs.Execution) (jobs.PendingExecutions, error) {
	list, err := s.store.Pending(ctx, buf[:0], thing)
	if err != nil {
		return jobs.PendingExecutions{}, err
	}
	running, n := 0, 0
	for i := range list {
		if !list[i].Visible() || !namespace.Has(list[i].Job) || n == s.limits.MaxPending {
			continue
		}
		if list[i].Status == jobs.InProgress {
			running++
		}
		list[n] = list[i]
		n++
	}
	return jobs.PendingExecutions{InProgress: list[:running], Queued: list[running:n]}, nil
}

// Describe answers the data plane's DescribeJobExecution. found is false only for Next if nothing is pending, which AWS
// answers with an empty object, not an error.
func (s *Service) Describe(ctx context.Context, r jobs.DescribeExecutionRequest) (d jobs.Described, found bool, err error) {
	if r.JobID == jobs.Next {
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

// describable returns an execution that its device may read, which excludes ended ones (AWS.md §4, TerminalState).
func (s *Service) describable(ctx context.Context, r jobs.DescribeExecutionRequest) (jobs.Execution, error) {
	e, err := s.reported(ctx, r.Thing, r.JobID, r.Number, r.Namespace)
	if err != nil {
		return e, err
	}
	if e.Ended() {
		terminal := jobs.Errorf(jobs.ErrTerminalState, "The job execution has ended with status %s.", e.Shown())
		state := e
		state.Status = e.Shown()
		terminal.Execution = &state
		return e, terminal
	}
	return e, nil
}

// reported returns an execution if its device can see it. Executions of a job being deleted are hidden, and so are those of
// another namespace if the request names one.
func (s *Service) reported(ctx context.Context, thing, jobID string, number int64, namespace jobs.Namespace) (jobs.Execution, error) {
	e, err := s.store.Execution(ctx, thing, jobID, number)
	if err == nil && (e.Job.Status == jobs.JobDeleting || namespace.ID != "" && !namespace.Has(e.Job)) {
		return e, jobs.Errorf(jobs.ErrNotFound, "Job %s does not exist for thing %s.", jobID, thing)
	}
	return e, err
}

// next finds a thing's next pending execution.
func (s *Service) next(ctx context.Context, thing string, namespace jobs.Namespace, e *jobs.Execution) (bool, error) {
	buf := s.scratch.Get().(*[]jobs.Execution)
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
		if list[i].Visible() && namespace.Has(list[i].Job) {
			*e = list[i]
			return true, nil
		}
	}
	return false, nil
}

// StartNext answers StartNextPendingJobExecution: the next pending execution, started if it was queued, with its document.
// found is false if nothing is pending. An execution already in progress is returned unchanged, except for the step timer
// if r sets one.
func (s *Service) StartNext(ctx context.Context, now time.Time, r jobs.StartNextRequest) (d jobs.Described, found bool, err error) {
	now = jobs.Stored(now)
	for range swapAttempts {
		var e jobs.Execution
		if found, err = s.next(ctx, r.Thing, r.Namespace, &e); err != nil || !found {
			return jobs.Described{}, false, err
		}
		rep := jobs.Report{Status: jobs.InProgress, StepMinutes: r.StepMinutes}
		if e.Status == jobs.Queued && r.Details != nil {
			rep.Details, rep.HasDetails = jobs.NewStatusDetails(r.Details), true
		}
		d, err = s.report(ctx, now, &e, rep, true, r.Before, e.Status == jobs.InProgress && r.StepMinutes == 0)
		if !errors.Is(err, errLostRace) {
			return d, err == nil, err
		}
	}
	return jobs.Described{}, false, errLostRace
}

// Update answers UpdateJobExecution: the execution as it is after the device's report.
func (s *Service) Update(ctx context.Context, now time.Time, r jobs.UpdateExecutionRequest) (jobs.Described, error) {
	now = jobs.Stored(now)
	rep := jobs.Report{Status: r.Status, StepMinutes: r.StepMinutes}
	if r.Details != nil {
		rep.Details, rep.HasDetails = jobs.NewStatusDetails(r.Details), true
	}
	for range swapAttempts {
		e, err := s.reported(ctx, r.Thing, r.JobID, r.Number, r.Namespace)
		if err != nil {
			return jobs.Described{}, err
		}
		if r.ExpectedVersion != 0 && r.ExpectedVersion != e.Version {
			return jobs.Described{}, e.VersionConflict(r.ExpectedVersion)
		}
		d, err := s.report(ctx, now, &e, rep, r.Document, r.Before, false)
		if !errors.Is(err, errLostRace) {
			return d, err
		}
	}
	return jobs.Described{}, errLostRace
}

// report applies a device's report to e and stores it, unless before fails. If r changes nothing, it answers e unchanged.
func (s *Service) report(ctx context.Context, now time.Time, e *jobs.Execution, r jobs.Report, document bool, before jobs.Before, unchanged bool) (jobs.Described, error) {
	d := jobs.Described{Execution: *e}
	var follower *jobs.Execution
	var err error
	if !unchanged {
		if d.Execution, follower, err = r.Apply(e, now); err != nil {
			return jobs.Described{}, err
		}
	}
	if document {
		if d.Document, err = s.document(ctx, e.Job); err != nil {
			return jobs.Described{}, err
		}
	}
	if before != nil {
		if err := before(&d); err != nil {
			return jobs.Described{}, err
		}
	}
	if unchanged {
		return d, nil
	}
	return d, s.swap(ctx, jobs.Swap{Old: *e, New: d.Execution, Next: follower})
}

// swap stores a change of an execution, publishes it, and schedules its job's next step.
func (s *Service) swap(ctx context.Context, one jobs.Swap) error {
	swaps := [1]jobs.Swap{one}
	if err := s.store.Swap(ctx, swaps[:]); err != nil {
		return err
	}
	if !swaps[0].Applied {
		return errLostRace
	}
	s.publish.Swap(&swaps[0])
	if one.New.Status.Terminal() {
		s.driver.Schedule(one.New.Job.ID) // the driver checks whether it was the last one, or an abort rule is met
		return nil
	}
	s.driver.Soon(one.New.Job.ID)
	if due, ok := one.New.Due(); ok {
		s.driver.ScheduleTimer(due)
	}
	return nil
}

// errLostRace is the error after swapAttempts conflicting changes.
var errLostRace = jobs.Errorf(jobs.ErrConflict, "The job execution is being changed by others; try again.")
