package operations_test

import (
	"errors"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

func TestLifeOfAnExecution(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", nil)
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:2") // at once
	f.same("next", f.next("a"), "j#1 QUEUED")
	f.now = f.now.Add(1500 * time.Millisecond)
	d, found, err := f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "a", Details: map[string]string{"x": "1"}, StepMinutes: 5})
	f.ok(err)
	if !found || d.Execution.Status != jobs.InProgress || d.Execution.Version != 2 || d.Document.Template == nil {
		t.Fatalf("%v %+v", found, d)
	}
	f.same("started", d.Execution.StartedAt, f.now)
	again, _, err := f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "a", Details: map[string]string{"x": "2"}})
	f.ok(err)
	f.same("a second start", again.Execution, d.Execution) // changes nothing
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1 IN_PROGRESS:1")

	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "a", JobID: "j", Status: jobs.Succeeded, ExpectedVersion: 7})
	f.is(err, jobs.ErrVersionConflict, "version 2, expected was 7")
	var conflict *jobs.Error
	if !errors.As(err, &conflict) || conflict.Execution.Status != jobs.InProgress || conflict.Execution.Details != `{"x":"1"}` {
		t.Fatalf("%+v", conflict)
	}
	updated, err := f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "a", JobID: "j", Status: jobs.InProgress, ExpectedVersion: 2})
	f.ok(err)
	f.same("details", updated.Execution.Details, `{"x":"1"}`) // not set: unchanged
	updated, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{
		Thing: "a", JobID: "j", Status: jobs.Succeeded, Number: 1, Details: map[string]string{"y": "3"}, Document: true,
	})
	f.ok(err)
	f.same("version", updated.Execution.Version, 4)
	f.same("details", updated.Execution.Details, `{"y":"3"}`)
	if updated.Document.Template == nil {
		t.Fatal("no document")
	}

	_, _, err = f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: "j"})
	f.is(err, jobs.ErrTerminalState, "SUCCEEDED")
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "a", JobID: "j", Status: jobs.InProgress})
	f.is(err, jobs.ErrInvalidStateTransition, "SUCCEEDED cannot become IN_PROGRESS")
	f.same("next", f.next("a"), "nothing")
	_, found, err = f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "a"})
	f.ok(err)
	f.same("something to start", found, false)

	f.report("b", "j", jobs.Failed)
	f.pass(0) // the driver completes the job, not the report
	f.same("job", f.status("j"), "COMPLETED SUCCEEDED:1 FAILED:1")
}

// TestSigningFails is issue 3: if a document cannot be signed, the execution does not change.
func TestSigningFails(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.create("j", nil)
	failed := errors.New("no credentials")
	refuse := func(*jobs.Described) error { return failed }
	_, found, err := f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "a", Before: refuse})
	f.is(err, failed, "")
	f.same("found", found, false)
	f.same("next", f.next("a"), "j#1 QUEUED")
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "a", JobID: "j", Status: jobs.Succeeded, Before: refuse})
	f.is(err, failed, "")
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1")
	var seen jobs.Execution
	_, found, err = f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "a", Before: func(d *jobs.Described) error {
		seen = d.Execution
		return nil
	}})
	f.ok(err)
	f.same("found", found, true)
	f.same("seen before", seen.Status, jobs.InProgress)
}

func TestUnknownNames(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.create("j", nil)
	_, err := f.GetPending(bg, "nobody", nil)
	f.is(err, jobs.ErrNotFound, "Thing nobody")
	_, _, err = f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "nobody"})
	f.is(err, jobs.ErrNotFound, "Thing nobody")
	_, _, err = f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: "k"})
	f.is(err, jobs.ErrNotFound, "Job k")
	_, _, err = f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: "j", Number: 2})
	f.is(err, jobs.ErrNotFound, "Job j does not exist for thing a")
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "nobody", JobID: "j", Status: jobs.InProgress})
	f.is(err, jobs.ErrNotFound, "nobody")
	_, err = f.DescribeJob(bg, f.now, "k")
	f.is(err, jobs.ErrNotFound, "Job k")
	_, _, err = f.ListExecutionsForThing(bg, "nobody", jobs.ExecutionQuery{}, jobs.Page{Limit: 1})
	f.is(err, jobs.ErrNotFound, "nobody")
}

func TestPendingLists(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	for i := range 20 {
		f.now = f.now.Add(time.Second)
		f.create("j"+string(rune('a'+i)), nil)
	}
	f.report("a", "jc", jobs.InProgress)
	f.report("a", "jb", jobs.InProgress)
	p, err := f.GetPending(bg, "a", nil)
	f.ok(err)
	f.same("shown", []int{len(p.InProgress), len(p.Queued)}, []int{2, operations.DefaultMaxPending - 2})
	f.same("first", []string{p.InProgress[0].Job.ID, p.InProgress[1].Job.ID, p.Queued[0].Job.ID, p.Queued[1].Job.ID},
		[]string{"jb", "jc", "ja", "jd"})
	f.same("next", f.next("a"), "jb#1 IN_PROGRESS")
}

func TestTimeouts(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b", "c", "d")
	f.create("j", func(r *jobs.CreateJobRequest) { r.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 60} })
	f.report("a", "j", jobs.InProgress)
	d, err := f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "b", JobID: "j", Status: jobs.InProgress, StepMinutes: 10})
	f.ok(err)
	left, ok := d.Execution.SecondsLeft(f.now)
	f.same("seconds left", []any{left, ok}, []any{600, true})
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "c", JobID: "j", Status: jobs.InProgress, StepMinutes: 10})
	f.ok(err)
	f.pass(9*time.Minute + 59*time.Second)
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1 IN_PROGRESS:3")
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "c", JobID: "j", Status: jobs.InProgress, StepMinutes: 20})
	f.ok(err)
	f.restart() // timers survive it
	f.pass(time.Second)
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1 IN_PROGRESS:2 TIMED_OUT:1")
	f.pass(49 * time.Minute)
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1 IN_PROGRESS:1 TIMED_OUT:2")
	f.ok(f.UpdateJob(bg, f.now, jobs.UpdateJobRequest{ID: "j", Settings: jobs.Settings{Timeout: &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 1}}}))
	f.pass(59 * time.Second)
	f.same("a new timeout is for what starts later", f.status("j"), "IN_PROGRESS QUEUED:1 IN_PROGRESS:1 TIMED_OUT:2")
	f.pass(time.Second)
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1 TIMED_OUT:3")
	f.report("d", "j", jobs.InProgress)
	f.pass(time.Minute)
	f.same("job", f.status("j"), "COMPLETED TIMED_OUT:4")
}

func TestRetries(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 1}
		r.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: 2}}}
	})
	f.report("b", "j", jobs.Succeeded)
	e := f.report("a", "j", jobs.Failed)
	f.same("what was answered", []any{e.Number, e.Status}, []any{1, jobs.Failed})
	f.same("next", f.next("a"), "j#2 QUEUED")
	f.report("a", "j", jobs.InProgress)
	f.pass(time.Minute)
	f.same("next", f.next("a"), "j#3 QUEUED")
	f.same("job", f.status("j"), "IN_PROGRESS QUEUED:1 SUCCEEDED:1")
	list, _, err := f.ListExecutionsForThing(bg, "a", jobs.ExecutionQuery{}, jobs.Page{Limit: 9})
	f.ok(err)
	var history []string
	for _, e := range list {
		history = append(history, e.Status.String()+" retry "+string(rune('0'+e.Retry)))
	}
	f.same("history", history, "[QUEUED retry 2 TIMED_OUT retry 1 FAILED retry 0]")
	first, err := f.Execution(bg, "a", "j", 1)
	f.ok(err)
	f.same("the first", first.Status, jobs.Failed)
	f.report("a", "j", jobs.Failed)
	f.pass(0)
	f.same("job", f.status("j"), "COMPLETED SUCCEEDED:1 FAILED:1")
}
