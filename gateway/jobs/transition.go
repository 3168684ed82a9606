package jobs

import "time"

// The state machine of one execution (AWS.md §6). Pure: each function takes an execution and returns what it becomes.
//
//	QUEUED ──device──► IN_PROGRESS ──device──► SUCCEEDED | FAILED | REJECTED
//	  │                     │  └──timers─────► TIMED_OUT
//	  └──────────┬──────────┘
//	             └─► REMOVED (left the group) | CANCELED (by an operator, an abort rule, the schedule)
//
// A device may report the end of an execution without having reported its start: AWS does not require that, and the report
// of a short task would otherwise be lost.

// Report is a device's report on an execution.
type Report struct {
	Status      Status
	Details     StatusDetails
	HasDetails  bool  // Details are set; else they are unchanged
	StepMinutes int64 // 1..10080 sets the step timer, -1 stops it, 0: unchanged
}

// Apply returns e after a device's report, and the attempt that follows when it is retried.
func (r Report) Apply(e *Execution, now time.Time) (Execution, *Execution, error) {
	switch r.Status {
	case InProgress, Succeeded, Failed, Rejected:
	default:
		return Execution{}, nil, Errorf(ErrInvalidRequest, "A device cannot set the status %s.", r.Status)
	}
	if r.StepMinutes < -1 || r.StepMinutes > MaxTimeoutMinutes {
		return Execution{}, nil, Errorf(ErrInvalidRequest, "stepTimeoutInMinutes must be between 1 and %d, or -1.", MaxTimeoutMinutes)
	}
	if e.Ended() {
		return Execution{}, nil, e.Refused("An execution in state %s cannot become %s.", e.Shown(), r.Status)
	}
	next := e.successor(r.Status, now)
	if r.HasDetails {
		next.Details = r.Details
	}
	if e.Status == Queued && r.Status != Rejected {
		next.StartedAt = now
	}
	if r.Status != InProgress {
		return next, next.retry(now), nil
	}
	next.arm(e, r.StepMinutes, now)
	return next, nil, nil
}

// arm sets the timers of an execution that is in progress: the in-progress timer when it starts, the step timer as the
// device asks.
func (e *Execution) arm(before *Execution, stepMinutes int64, now time.Time) {
	if t := e.Job.Timeout; before.Status == Queued && t != nil && t.InProgressTimeoutInMinutes > 0 {
		e.Deadline = now.Add(time.Duration(t.InProgressTimeoutInMinutes) * time.Minute)
	}
	switch {
	case stepMinutes > 0:
		e.StepDeadline = now.Add(time.Duration(stepMinutes) * time.Minute)
	case stepMinutes < 0:
		e.StepDeadline = time.Time{}
	}
}

// TimeOut returns e after its timer has run out, and the attempt that follows when it is retried.
func (e *Execution) TimeOut(now time.Time) (Execution, *Execution) {
	next := e.successor(TimedOut, now)
	return next, next.retry(now)
}

// Cancel returns e after an operator canceled it.
func (e *Execution) Cancel(r *CancelExecutionRequest, now time.Time) (Execution, error) {
	if e.Status.Terminal() {
		return Execution{}, e.Refused("An execution in state %s cannot be canceled.", e.Status)
	}
	if e.Status == InProgress && !r.Force {
		return Execution{}, e.Refused("An execution in state IN_PROGRESS is canceled with force only.")
	}
	next := e.successor(Canceled, now)
	next.Forced = r.Force
	if r.Details != nil {
		next.Details = NewStatusDetails(r.Details)
	}
	return next, nil
}

// Sweep returns e after a sweep, and whether the sweep changes it; for engines.
func (e *Execution) Sweep(kind Sweep, now time.Time) (Execution, bool) {
	if e.Status.Terminal() || (kind == SweepCancelQueued && e.Status != Queued) || kind == SweepNone || kind == SweepDelete {
		return *e, false
	}
	next := e.successor(Canceled, now)
	next.Forced = kind == SweepCancelAll
	return next, true
}

// Remove returns e after its thing left the job's targets; for engines.
func (e *Execution) Remove(now time.Time) Execution { return e.successor(Removed, now) }

// Renew returns the attempt that follows e when its thing joins the job's targets again; for engines.
func (e *Execution) Renew(now time.Time) Execution {
	return Execution{Thing: e.Thing, ThingRow: e.ThingRow, Job: e.Job, Number: e.Number + 1, Version: 1, QueuedAt: now, UpdatedAt: now}
}

// successor returns e in another state, with the next version. Timers end with the execution.
func (e *Execution) successor(s Status, now time.Time) Execution {
	next := *e
	next.Status, next.Version, next.UpdatedAt = s, e.Version+1, now
	if s.Terminal() {
		next.Deadline, next.StepDeadline = time.Time{}, time.Time{}
	}
	return next
}

// retry returns the attempt that follows e, which has just ended, if the job's criteria allow one more.
func (e *Execution) retry(now time.Time) *Execution {
	if e.Job.Retry == nil || !e.Job.Retries() || (e.Status != Failed && e.Status != TimedOut) {
		return nil
	}
	for _, c := range e.Job.Retry.CriteriaList {
		used := int64(e.Retry)
		switch {
		case c.FailureType == FailureAll:
		case c.FailureType == FailureTimedOut && e.Status == TimedOut:
			used = int64(e.RetryTimedOut)
		case c.FailureType == FailureFailed && e.Status == Failed:
			used = int64(e.Retry - e.RetryTimedOut)
		default:
			continue
		}
		if used < c.NumberOfRetries {
			next := e.Renew(now)
			next.Retry, next.RetryTimedOut = e.Retry+1, e.RetryTimedOut
			if e.Status == TimedOut {
				next.RetryTimedOut++
			}
			return &next
		}
	}
	return nil
}

// Ended reports whether e accepts no more reports: it is terminal, or its job was canceled or deleted and the sweep will
// end it.
func (e *Execution) Ended() bool {
	return e.Status.Terminal() || e.Shown() != e.Status
}

// Shown returns the state that e's device sees: CANCELED as soon as its job's sweep will cancel it.
func (e *Execution) Shown() Status {
	switch e.Job.Sweep {
	case SweepCancelQueued:
		if e.Status == Queued {
			return Canceled
		}
	case SweepCancelAll, SweepDelete:
		if !e.Status.Terminal() {
			return Canceled
		}
	}
	return e.Status
}

// Refused returns the error for an invalid transition, with the current state.
func (e *Execution) Refused(format string, args ...any) *Error {
	err := Errorf(ErrInvalidStateTransition, format, args...)
	state := *e
	state.Status = e.Shown()
	err.Execution = &state
	return err
}

// VersionConflict returns the error for an unexpected version, with the current state.
func (e *Execution) VersionConflict(expected int64) *Error {
	err := Errorf(ErrVersionConflict, "The job execution has version %d, expected was %d.", e.Version, max(expected, 0))
	state := *e
	state.Status = e.Shown()
	err.Execution = &state
	return err
}
