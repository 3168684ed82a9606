package operations_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

// failingStore fails the rollouts of one job, and the sweep of groups.
type failingStore struct {
	jobs.Store
	job string
}

var errBroken = errors.New("this one is broken")

func (s failingStore) QueueChunk(ctx context.Context, c jobs.QueueChunk) (jobs.QueueResult, error) {
	if c.JobID == s.job {
		return jobs.QueueResult{}, errBroken
	}
	return s.Store.QueueChunk(ctx, c)
}

func (s failingStore) SweepGroups(context.Context, int, time.Time) ([]jobs.Execution, bool, error) {
	return nil, false, errBroken
}

// TestFailingStep makes every step of one job fail: the other jobs are not affected.
func TestFailingStep(t *testing.T) {
	f := newFixture(t)
	service, err := operations.New(operations.Config{Store: failingStore{f.store, "bad"}, Names: f.Names(), Roles: roles{}})
	f.ok(err)
	f.Service = service
	f.things("g", numbered(30)...)
	for _, id := range []string{"bad", "good-1", "good-2", "good-3"} {
		f.create(id, func(r *jobs.CreateJobRequest) { r.Rollout = &jobs.RolloutConfig{MaximumPerMinute: 60} })
	}
	failed := 0
	for range 12 {
		f.now = f.now.Add(time.Second)
		for range 3 {
			if _, err := f.Driver().Round(bg, f.now); errors.Is(err, errBroken) {
				failed++
			} else {
				f.ok(err)
			}
		}
	}
	if failed == 0 {
		t.Error("nothing fails")
	}
	for _, id := range []string{"good-1", "good-2", "good-3"} {
		p, err := f.store.Progress(bg, id)
		f.ok(err)
		if p.Notified < 11 {
			t.Errorf("%s has reached %d things in 12 seconds at a rate of one a second", id, p.Notified)
		}
	}
}

// TestNothingRetriedAfterTheEnd lets an execution fail after the end time has canceled the queued ones.
func TestNothingRetriedAfterTheEnd(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: 3}}}
		r.Scheduling = &jobs.SchedulingConfig{EndTime: "2026-03-01 14:00", EndBehavior: jobs.EndCancel}
	})
	f.report("a", "j", jobs.InProgress)
	f.pass(2 * time.Hour)
	f.same("at the end", f.status("j"), "IN_PROGRESS IN_PROGRESS:1 CANCELED:1")
	f.report("a", "j", jobs.Failed)
	f.pass(0)
	f.same("afterwards", f.status("j"), "COMPLETED FAILED:1 CANCELED:1")
}

// TestEventOfNewTargets checks the events when targets are added to a job.
func TestEventOfNewTargets(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.things("h", "b")
	f.create("j", func(r *jobs.CreateJobRequest) { r.Selection = jobs.Continuous })
	sub := f.Events().Subscribe(9, nil)
	defer sub.Close()
	_, err := f.AssociateTargets(bg, f.now, jobs.AssociateTargetsRequest{ID: "j", Targets: []string{f.Names().GroupARN("h")}})
	f.ok(err)
	var got []jobs.EventType
	for len(sub.C()) > 0 {
		got = append(got, (<-sub.C()).Type)
	}
	f.same("events", got, []jobs.EventType{jobs.EventJobUpdated, jobs.EventExecution, jobs.EventJobProgress})
}

// TestSlowRolloutCompletes lets the last thing of a slow rollout succeed: the job completes then, not when the rate would
// allow another execution.
func TestSlowRolloutCompletes(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", func(r *jobs.CreateJobRequest) { r.Rollout = &jobs.RolloutConfig{MaximumPerMinute: 1} })
	f.report("a", "j", jobs.Succeeded)
	f.same("halfway", f.status("j"), "IN_PROGRESS SUCCEEDED:1")
	f.pass(time.Minute)
	f.report("b", "j", jobs.Succeeded)
	f.pass(0)
	f.same("in the end", f.status("j"), "COMPLETED SUCCEEDED:2")
}

// TestCancelDuringForceCancel cancels a job whose executions are being canceled by force at its end time, chunk by chunk.
// Executions that devices already see as canceled do not run again.
func TestCancelDuringForceCancel(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Scheduling = &jobs.SchedulingConfig{EndTime: "2026-03-01 14:00", EndBehavior: jobs.EndForceCancel}
	})
	f.report("a", "j", jobs.InProgress)
	f.report("b", "j", jobs.InProgress)
	f.now = f.now.Add(2 * time.Hour)
	_, err := f.Driver().Round(bg, f.now) // the end time has come, and nothing is swept yet
	f.ok(err)
	j, err := f.store.Job(bg, "j")
	f.ok(err)
	f.same("sweep", j.Sweep, jobs.SweepCancelAll)
	f.same("next of a", f.next("a"), "nothing")
	_, err = f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "j"})
	f.ok(err)
	f.same("next of a", f.next("a"), "nothing")
	f.pass(0)
	f.same("in the end", f.status("j"), "CANCELED CANCELED:2")
}

// TestClockSetBack sets the clock back by an hour during a rollout, which continues at its rate without an hour's pause.
func TestClockSetBack(t *testing.T) {
	f := newFixture(t)
	f.things("g", numbered(30)...)
	f.create("j", func(r *jobs.CreateJobRequest) { r.Rollout = &jobs.RolloutConfig{MaximumPerMinute: 6} })
	rounds := func(n int) {
		t.Helper()
		for range n {
			f.now = f.now.Add(time.Second)
			_, err := f.Driver().Round(bg, f.now)
			f.ok(err)
		}
	}
	rounds(60)
	f.same("after a minute", f.status("j"), "IN_PROGRESS QUEUED:7")
	f.now = f.now.Add(-time.Hour)
	rounds(60)
	f.same("after another", f.status("j"), "IN_PROGRESS QUEUED:13")
}

// TestTimerDuringForceCancel lets a timer run out while its job is being canceled by force, chunk by chunk. The device
// already sees the execution as canceled, so it becomes CANCELED, not TIMED_OUT.
func TestTimerDuringForceCancel(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 60}
		r.Abort = &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{
			{FailureType: jobs.FailureTimedOut, Action: jobs.ActionCancel, ThresholdPercentage: 10, MinNumberOfExecutedThings: 1},
		}}
		r.Scheduling = &jobs.SchedulingConfig{EndTime: "2026-03-01 14:00", EndBehavior: jobs.EndForceCancel}
	})
	f.now = f.now.Add(time.Hour + time.Second)
	f.report("a", "j", jobs.InProgress)
	f.now = f.now.Add(time.Hour - time.Second)
	_, err := f.Driver().Round(bg, f.now) // the end time has come, and nothing is swept yet
	f.ok(err)
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "a", JobID: "j", Status: jobs.InProgress})
	f.is(err, jobs.ErrInvalidStateTransition, "CANCELED")
	f.pass(time.Second)
	f.same("in the end", f.status("j"), "COMPLETED CANCELED:2")
}
