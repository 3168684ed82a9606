package operations_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/plan"
)

func TestRolloutAtARate(t *testing.T) {
	f := newFixture(t)
	f.things("g", numbered(40)...)
	f.create("j", func(r *jobs.CreateJobRequest) { r.Rollout = &jobs.RolloutConfig{MaximumPerMinute: 10} })
	f.same("at once", f.status("j"), "IN_PROGRESS QUEUED:1")
	d, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("processing", d.ProcessingTargets, []string{f.Names().GroupARN("g")})
	f.same("concurrent", []bool{d.Concurrent, f.listed("j").Concurrent}, []bool{true, true})
	for range 60 {
		f.pass(time.Second)
	}
	f.same("after a minute", f.status("j"), "IN_PROGRESS QUEUED:11")
	f.restart()
	for range 60 {
		f.pass(time.Second)
	}
	f.same("after two, with a restart", f.status("j"), "IN_PROGRESS QUEUED:21")
	f.pass(time.Hour)
	f.same("after an hour without a check", f.status("j"), "IN_PROGRESS QUEUED:22")
	f.ok(f.UpdateJob(bg, f.now, jobs.UpdateJobRequest{ID: "j", Settings: jobs.Settings{Rollout: &jobs.RolloutConfig{MaximumPerMinute: 1000}}}))
	for range 3 {
		f.pass(time.Second)
	}
	f.same("faster", f.status("j"), "IN_PROGRESS QUEUED:40")
	d, err = f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("processing", len(d.ProcessingTargets), 0)
	f.same("concurrent", []bool{d.Concurrent, f.listed("j").Concurrent}, []bool{false, false})
}

// listed returns a job as ListJobs has it.
func (f *fixture) listed(id string) jobs.JobSummary {
	f.Helper()
	list, _, err := f.ListJobs(bg, jobs.JobQuery{}, jobs.Page{Limit: 100})
	f.ok(err)
	for _, s := range list {
		if s.Job.ID == id {
			return s
		}
	}
	f.Fatalf("job %s is not listed", id)
	return jobs.JobSummary{}
}

func TestAbort(t *testing.T) {
	f := newFixture(t)
	f.things("g", numbered(10)...)
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Abort = &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{
			{FailureType: jobs.FailureAll, Action: jobs.ActionCancel, ThresholdPercentage: 50, MinNumberOfExecutedThings: 4},
		}}
	})
	f.report("t00", "j", jobs.InProgress)
	f.report("t01", "j", jobs.Failed)
	f.report("t02", "j", jobs.Failed)
	f.report("t03", "j", jobs.Succeeded)
	f.pass(time.Second)
	f.same("with three executed", f.status("j"), "IN_PROGRESS QUEUED:6 IN_PROGRESS:1 SUCCEEDED:1 FAILED:2")
	f.report("t04", "j", jobs.Succeeded)
	f.pass(time.Second)
	f.same("with four", f.status("j"), "CANCELED IN_PROGRESS:1 SUCCEEDED:2 FAILED:2 CANCELED:5")
	d, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("reason", d.Job.ReasonCode, plan.ReasonAborted)
	f.report("t00", "j", jobs.Succeeded) // executions in progress continue
	f.same("in the end", f.status("j"), "CANCELED SUCCEEDED:3 FAILED:2 CANCELED:5")
}

func TestCancel(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b", "c")
	f.create("j", nil)
	f.report("a", "j", jobs.InProgress)
	ref, err := f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "j", ReasonCode: "OOPS", Comment: "wrong file"})
	f.ok(err)
	f.same("answer", ref.ARN, "arn:aws:iot:us-east-1:123456789012:job/j")
	f.same("job", f.status("j"), "CANCELED IN_PROGRESS:1 CANCELED:2")
	d, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("reason", []any{d.Job.ReasonCode, d.Job.Comment, d.Job.ForceCanceled}, []any{"OOPS", "wrong file", false})
	f.same("next of b", f.next("b"), "nothing")
	f.same("next of a", f.next("a"), "j#1 IN_PROGRESS")
	_, err = f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "j"})
	f.is(err, jobs.ErrInvalidRequest, "CANCELED and cannot be canceled")
	_, err = f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "j", Force: true})
	f.ok(err)
	f.same("by force", f.status("j"), "CANCELED CANCELED:3")
	e, err := f.Execution(bg, "a", "j", 0)
	f.ok(err)
	f.same("forced", e.Forced, true)
	d, err = f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("reason", []any{d.Job.ReasonCode, d.Job.Comment, d.Job.ForceCanceled}, []any{"OOPS", "wrong file", true})
	_, err = f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "nothing"})
	f.is(err, jobs.ErrNotFound, "nothing")
	f.is(f.UpdateJob(bg, f.now, jobs.UpdateJobRequest{ID: "j"}), jobs.ErrInvalidRequest, "cannot be updated")
}

func TestCancelAndDeleteExecutions(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b", "c")
	f.create("j", nil)
	f.report("a", "j", jobs.InProgress)
	cancel := func(thing string, force bool, version int64) error {
		return f.CancelExecution(bg, f.now, jobs.CancelExecutionRequest{Thing: thing, JobID: "j", Force: force, ExpectedVersion: version})
	}
	f.is(cancel("a", false, 0), jobs.ErrInvalidStateTransition, "with force only")
	f.is(cancel("a", true, 9), jobs.ErrVersionConflict, "version 2")
	f.ok(cancel("a", true, 2))
	f.is(cancel("a", true, 0), jobs.ErrInvalidStateTransition, "CANCELED cannot be canceled")
	f.ok(cancel("b", false, 1))
	f.is(cancel("nobody", false, 0), jobs.ErrNotFound, "nobody")
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1 CANCELED:2")

	remove := func(thing string, number int64, force bool) error {
		return f.DeleteExecution(bg, f.now, jobs.DeleteExecutionRequest{Thing: thing, JobID: "j", Number: number, Force: force})
	}
	f.report("c", "j", jobs.InProgress)
	f.is(remove("c", 1, false), jobs.ErrInvalidStateTransition, "with force only")
	f.is(remove("c", 2, true), jobs.ErrNotFound, "")
	f.ok(remove("a", 1, false))
	f.same("job", f.status("j"), "IN_PROGRESS IN_PROGRESS:1 CANCELED:1")
	f.ok(remove("c", 1, true))
	f.pass(0)
	f.same("job", f.status("j"), "COMPLETED CANCELED:1") // nothing is left to wait for
	f.same("next", f.next("c"), "nothing")
}

func TestDelete(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", func(r *jobs.CreateJobRequest) { r.NamespaceID, r.Tags = "n", []jobs.Tag{{Key: "k", Value: "v"}} })
	f.is(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j"}), jobs.ErrInvalidStateTransition, "with force only")
	f.is(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j", Force: true, NamespaceID: "m"}), jobs.ErrNotFound, "namespace m")
	f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j", Force: true, NamespaceID: "n"}))
	f.pass(0)
	_, err := f.DescribeJob(bg, f.now, "j")
	f.is(err, jobs.ErrNotFound, "Job j")
	f.same("next", f.next("a"), "nothing")
	f.create("j", nil) // the ID is free again
	tags, err := f.ListTags(bg, f.Names().JobARN("j"))
	f.ok(err)
	f.same("tags", len(tags), 0)
}

// TestDeletionLimit holds jobs in deletion by not running their sweeps.
func TestDeletionLimit(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	for i := range 11 {
		id := fmt.Sprint("j", i)
		f.create(id, nil)
		j, err := f.store.Job(bg, id)
		f.ok(err)
		if i == 10 {
			break
		}
		next := *j
		next.Status, next.Sweep, next.Version = jobs.JobDeleting, jobs.SweepDelete, j.Version+1
		_, err = f.store.SwapJob(bg, next)
		f.ok(err)
	}
	f.same("next", f.next("a"), "j10#1 QUEUED") // jobs in deletion are hidden from devices
	_, _, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: "j1"})
	f.is(err, jobs.ErrNotFound, "j1")
	f.is(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j10", Force: true}), jobs.ErrLimitExceeded, "10 jobs")
	f.pass(time.Second)
	f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j10", Force: true}))
	f.pass(time.Second)
	list, _, err := f.ListJobs(bg, jobs.JobQuery{}, jobs.Page{Limit: 10})
	f.ok(err)
	f.same("jobs", len(list), 0)
}

func TestContinuous(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.things("h", "b")
	f.create("j", func(r *jobs.CreateJobRequest) { r.Selection = jobs.Continuous })
	f.report("a", "j", jobs.Succeeded)
	f.pass(time.Second)
	f.same("it continues", f.status("j"), "IN_PROGRESS SUCCEEDED:1")
	f.ok(f.AddToGroup(bg, f.now, jobs.MemberRequest{ThingARN: f.Names().ThingARN("b"), GroupARN: f.Names().GroupARN("g")}))
	f.same("next", f.next("b"), "j#1 QUEUED")
	f.ok(f.RemoveFromGroup(bg, f.now, jobs.MemberRequest{Thing: "b", Group: "g"}))
	f.same("next", f.next("b"), "nothing")
	f.same("job", f.status("j"), "IN_PROGRESS SUCCEEDED:1 REMOVED:1")
	ref, err := f.AssociateTargets(bg, f.now, jobs.AssociateTargetsRequest{ID: "j", Targets: []string{f.Names().GroupARN("h")}, Comment: "more"})
	f.ok(err)
	f.same("answer", ref.ID, "j")
	f.same("next", f.next("b"), "j#2 QUEUED")
	d, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("targets", d.TargetARNs, []string{f.Names().GroupARN("g"), f.Names().GroupARN("h")})

	f.create("snapshot", nil)
	_, err = f.AssociateTargets(bg, f.now, jobs.AssociateTargetsRequest{ID: "snapshot", Targets: []string{f.Names().GroupARN("h")}})
	f.is(err, jobs.ErrInvalidRequest, "CONTINUOUS")
	f.ok(f.DeleteThing(bg, f.now, "b", 0))
	f.same("job", f.status("j"), "IN_PROGRESS SUCCEEDED:1 REMOVED:1")
	f.is(f.AddToGroup(bg, f.now, jobs.MemberRequest{Thing: "b", Group: "g"}), jobs.ErrNotFound, "Thing b")
	f.is(f.AddToGroup(bg, f.now, jobs.MemberRequest{Group: "g"}), jobs.ErrInvalidRequest, "required")
	f.is(f.AddToGroup(bg, f.now, jobs.MemberRequest{Thing: "a", ThingARN: f.Names().ThingARN("c"), Group: "g"}), jobs.ErrInvalidRequest, "is not that of")
}

func TestSchedule(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Scheduling = &jobs.SchedulingConfig{
			StartTime: "2026-03-01 14:00", EndTime: "2026-03-02 15:00", EndBehavior: jobs.EndCancel,
			MaintenanceWindows: []jobs.MaintenanceWindow{{StartTime: "cron(0 14 ? * * *)", DurationInMinutes: 60}},
		}
	})
	f.same("created", f.status("j"), "SCHEDULED")
	d, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("rollouts", d.NextRollouts, "[2026-03-01 14:00 2026-03-02 14:00]")
	f.pass(119 * time.Minute)
	f.same("before the start", f.status("j"), "SCHEDULED")
	f.restart()
	f.pass(time.Minute)
	f.same("at the start", f.status("j"), "IN_PROGRESS QUEUED:2")
	f.report("a", "j", jobs.InProgress)
	f.pass(time.Hour)
	f.same("after the window", f.status("j"), "SCHEDULED QUEUED:1 IN_PROGRESS:1")
	f.same("a continues", f.next("a"), "j#1 IN_PROGRESS")
	f.same("b waits", f.next("b"), "nothing")
	_, _, err = f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "b", JobID: "j"})
	f.ok(err) // it can be read by name
	f.pass(23 * time.Hour)
	f.same("in the next window", f.status("j"), "IN_PROGRESS QUEUED:1 IN_PROGRESS:1")
	f.same("b is offered it again", f.next("b"), "j#1 QUEUED")
	f.pass(time.Hour)
	f.same("at the end", f.status("j"), "IN_PROGRESS IN_PROGRESS:1 CANCELED:1")
	f.report("a", "j", jobs.Succeeded)
	f.pass(0)
	f.same("when all have ended", f.status("j"), "COMPLETED SUCCEEDED:1 CANCELED:1")
}

func TestEventsOfAJob(t *testing.T) {
	f := newFixture(t)
	sub := f.Events().Subscribe(100, nil)
	defer sub.Close()
	f.things("g", "a", "b")
	f.create("j", nil)
	f.report("a", "j", jobs.Succeeded)
	_, err := f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "j", ReasonCode: "X"})
	f.ok(err)
	f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j"}))
	f.pass(0)
	var got []string
	for len(sub.C()) > 0 {
		e := <-sub.C()
		if e.Thing != "" {
			got = append(got, fmt.Sprintf("%s %s %s", e.Type, e.Thing, e.Status))
		} else {
			got = append(got, fmt.Sprintf("%s %s", e.Type, e.Job))
		}
	}
	f.same("events", got, []string{
		"job.created IN_PROGRESS", "execution.updated a QUEUED", "execution.updated b QUEUED", "job.progress IN_PROGRESS",
		"execution.updated a SUCCEEDED", "job.cancellation_in_progress CANCELED", "execution.updated b CANCELED", "job.canceled CANCELED",
		"job.deletion_in_progress DELETION_IN_PROGRESS", "job.deleted DELETION_IN_PROGRESS",
	})
}

func TestNamesakes(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	one, err := f.CreateThing(bg, f.now, jobs.CreateThingRequest{Name: "x", Attributes: map[string]string{"k": "v"}})
	f.ok(err)
	same, err := f.CreateThing(bg, f.now, jobs.CreateThingRequest{Name: "x", Attributes: map[string]string{"k": "v"}})
	f.ok(err)
	f.same("the same thing", same.ID, one.ID)
	_, err = f.CreateThing(bg, f.now, jobs.CreateThingRequest{Name: "x"})
	f.is(err, jobs.ErrAlreadyExists, "different properties")
	_, err = f.CreateGroup(bg, f.now, jobs.CreateGroupRequest{Name: "g", Description: "other"})
	f.is(err, jobs.ErrAlreadyExists, "different properties")
	f.create("j", nil)
	err = f.tryCreate("j", nil)
	var exists *jobs.Error
	if !errors.As(err, &exists) || exists.ResourceID != "j" || exists.ResourceARN != f.Names().JobARN("j") {
		t.Fatalf("%+v", exists)
	}
}
