package jobs

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) // a Sunday

func reportOf(s Status, step int64) Report { return Report{Status: s, StepMinutes: step} }

// TestReport checks every pair of states.
func TestReport(t *testing.T) {
	f := func(from, to Status, want string) {
		t.Helper()
		e := Execution{Thing: "t", Job: &Job{ID: "j", Status: JobInProgress}, Number: 1, Version: 4, Status: from}
		if from != Queued {
			e.StartedAt = noon.Add(-time.Minute)
		}
		next, follower, err := Report{Status: to}.Apply(&e, noon)
		got := ""
		switch {
		case errors.Is(err, ErrInvalidRequest):
			got = "invalid request"
		case errors.Is(err, ErrInvalidStateTransition):
			got = "invalid transition"
		case err != nil || follower != nil || next.Version != 5 || !next.UpdatedAt.Equal(noon):
			got = fmt.Sprint(next, follower, err)
		case next.StartedAt.Equal(noon):
			got = next.Status.String() + " started now"
		default:
			got = next.Status.String()
		}
		if got != want {
			t.Errorf("%s, then %s: %s, want %s", from, to, got, want)
		}
	}
	f(Queued, InProgress, "IN_PROGRESS started now")
	f(Queued, Succeeded, "SUCCEEDED started now")
	f(Queued, Failed, "FAILED started now")
	f(Queued, Rejected, "REJECTED")
	f(InProgress, InProgress, "IN_PROGRESS")
	f(InProgress, Succeeded, "SUCCEEDED")
	f(InProgress, Failed, "FAILED")
	f(InProgress, Rejected, "REJECTED")
	for from := Queued; from < Statuses; from++ {
		for _, to := range []Status{Queued, TimedOut, Removed, Canceled, Statuses} {
			f(from, to, "invalid request")
		}
	}
	for _, from := range []Status{Succeeded, Failed, TimedOut, Rejected, Removed, Canceled} {
		for _, to := range []Status{InProgress, Succeeded, Failed, Rejected} {
			f(from, to, "invalid transition")
		}
	}
}

func TestReportOfCanceledJob(t *testing.T) {
	f := func(s Status, sweep Sweep, want string) {
		t.Helper()
		e := Execution{Job: &Job{ID: "j", Status: JobCanceled, Sweep: sweep}, Status: s, Version: 1}
		_, _, err := Report{Status: InProgress}.Apply(&e, noon)
		got := "goes on"
		var refused *Error
		if errors.As(err, &refused) {
			got = refused.Execution.Status.String()
		}
		if got != want {
			t.Errorf("%s while sweep %d: %s, want %s", s, sweep, got, want)
		}
	}
	f(Queued, SweepCancelQueued, "CANCELED") // not swept yet, but shown as canceled
	f(InProgress, SweepCancelQueued, "goes on")
	f(InProgress, SweepCancelAll, "CANCELED")
	f(InProgress, SweepNone, "goes on")
}

func TestTimers(t *testing.T) {
	job := &Job{ID: "j", Status: JobInProgress, Timeout: &TimeoutConfig{InProgressTimeoutInMinutes: 10}}
	e := Execution{Job: job, Version: 1}
	at := noon
	says := func(status Status, step int64, want string) {
		t.Helper()
		next, _, err := reportOf(status, step).Apply(&e, at)
		if err != nil {
			t.Fatal(err)
		}
		e = next
		got := "none"
		if due, ok := e.Due(); ok {
			left, _ := e.SecondsLeft(at)
			got = fmt.Sprintf("%s, in %d s", due.Format("15:04"), left)
		}
		if got != want {
			t.Errorf("timer is %s, want %s", got, want)
		}
	}
	says(InProgress, 0, "12:10, in 600 s")
	says(InProgress, 4, "12:04, in 240 s")
	at = at.Add(3 * time.Minute)
	says(InProgress, 0, "12:04, in 60 s")  // a report alone does not extend it
	says(InProgress, 4, "12:07, in 240 s") // a new timer does
	says(InProgress, 30, "12:10, in 420 s")
	says(InProgress, -1, "12:10, in 420 s")
	says(Succeeded, 0, "none")
	for _, step := range []int64{-2, MaxTimeoutMinutes + 1} {
		e = Execution{Job: job}
		if _, _, err := reportOf(InProgress, step).Apply(&e, at); !errors.Is(err, ErrInvalidRequest) {
			t.Errorf("step %d: %v", step, err)
		}
	}
}

func TestRetry(t *testing.T) {
	f := func(c []RetryCriteria, ends []Status, want int) {
		t.Helper()
		e := &Execution{Job: &Job{ID: "j", Status: JobInProgress, Retry: &RetryConfig{CriteriaList: c}}, Number: 1, Version: 1}
		retries := 0
		for _, s := range ends {
			e.Status = InProgress
			var next *Execution
			if s == TimedOut {
				_, next = e.TimeOut(noon)
			} else {
				_, next, _ = reportOf(s, 0).Apply(e, noon)
			}
			if next == nil {
				break
			}
			retries++
			if next.Number != e.Number+1 || next.Version != 1 || next.Status != Queued || next.Retry != retries || !next.QueuedAt.Equal(noon) {
				t.Errorf("%+v: next is %+v", c, next)
			}
			e = next
		}
		if retries != want {
			t.Errorf("%+v, ends %v: %d retries, want %d", c, ends, retries, want)
		}
	}
	all := func(n int64) []RetryCriteria { return []RetryCriteria{{FailureAll, n}} }
	each := []RetryCriteria{{FailureFailed, 2}, {FailureTimedOut, 1}}
	f(all(0), []Status{Failed}, 0)
	f(all(2), []Status{Failed, TimedOut, Failed, Failed}, 2)
	f(all(2), []Status{Failed, Rejected}, 1) // how a device asks for no retry
	f(all(2), []Status{Succeeded}, 0)
	f(each, []Status{Failed, Failed, Failed}, 2)
	f(each, []Status{TimedOut, TimedOut}, 1)
	f(each, []Status{Failed, TimedOut, Failed, Failed}, 3)
	f([]RetryCriteria{{FailureTimedOut, 5}}, []Status{Failed}, 0)
}

func TestRetryEndsWithTheJob(t *testing.T) {
	ended := func(behavior string) *Job {
		return &Job{Status: JobInProgress, Ended: true, Stopped: true, Scheduling: &SchedulingConfig{EndBehavior: behavior}}
	}
	for _, j := range []*Job{
		{Status: JobCanceled}, {Status: JobInProgress, Sweep: SweepCancelQueued}, {Status: JobDeleting}, ended(EndCancel), ended(EndForceCancel),
	} {
		j.Retry = &RetryConfig{CriteriaList: []RetryCriteria{{FailureAll, 5}}}
		e := &Execution{Job: j, Status: InProgress}
		if _, next := e.TimeOut(noon); next != nil {
			t.Errorf("retried while the job is %s, sweep %d, ended %v", j.Status, j.Sweep, j.Ended)
		}
	}
	stopped := ended(EndStopRollout)
	stopped.Retry = &RetryConfig{CriteriaList: []RetryCriteria{{FailureAll, 5}}}
	if _, next := (&Execution{Job: stopped, Status: InProgress}).TimeOut(noon); next == nil {
		t.Error("not retried after a rollout was stopped")
	}
}

func TestCancelExecution(t *testing.T) {
	f := func(s Status, force, want bool) {
		t.Helper()
		e := &Execution{Job: &Job{}, Status: s, Version: 1, Deadline: noon}
		next, err := e.Cancel(&CancelExecutionRequest{Force: force, Details: map[string]string{"why": "x"}}, noon)
		if (err == nil) != want || (err != nil && !errors.Is(err, ErrInvalidStateTransition)) {
			t.Errorf("%s, force %v: %v", s, force, err)
		}
		if want && (next.Status != Canceled || next.Forced != force || next.Details != `{"why":"x"}` || !next.Deadline.IsZero()) {
			t.Errorf("%s, force %v: %+v", s, force, next)
		}
	}
	f(Queued, false, true)
	f(Queued, true, true)
	f(InProgress, false, false)
	f(InProgress, true, true)
	for s := Succeeded; s < Statuses; s++ {
		f(s, true, false)
	}
}

func TestStatusDetails(t *testing.T) {
	f := func(m map[string]string, want StatusDetails) {
		t.Helper()
		got := NewStatusDetails(m)
		if got != want {
			t.Errorf("%v: %s, want %s", m, got, want)
		}
		if fmt.Sprint(got.Map()) != fmt.Sprint(m) {
			t.Errorf("%v is decoded as %v", m, got.Map())
		}
	}
	f(nil, "")
	f(map[string]string{}, "")
	f(map[string]string{"b": "2", "a": "1 & <2>"}, `{"a":"1 & <2>","b":"2"}`)
	f(map[string]string{"q": `"\` + "\n\u00e9"}, `{"q":"\"\\\né"}`)
}

func TestNames(t *testing.T) {
	for s := Queued; s < Statuses; s++ {
		if got, ok := ParseStatus(s.String()); !ok || got != s {
			t.Errorf("%s is read as %s, %v", s, got, ok)
		}
	}
	for s := JobScheduled; s <= JobDeleting; s++ {
		if got, ok := ParseJobStatus(s.String()); !ok || got != s {
			t.Errorf("%s is read as %s, %v", s, got, ok)
		}
	}
	if _, ok := ParseStatus(""); ok || Status(99).String() != "" || JobStatus(99).String() != "" {
		t.Error("unknown states have names")
	}
	if _, ok := ParseJobStatus(""); ok {
		t.Error("a job's state may be empty")
	}
}
