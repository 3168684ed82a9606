package operations_test

import (
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

// retry creates a job that retries the failures of "j".
func (f *fixture) retry(id string, edit func(*jobs.RetryJobRequest)) (jobs.RetryJobResult, error) {
	f.Helper()
	r := jobs.RetryJobRequest{ID: "j", NewID: id}
	if edit != nil {
		edit(&r)
	}
	return f.RetryJob(bg, f.now, r)
}

// TestRetryJob retries the failures of a job whose schedule has ended, until the retry job completes.
func TestRetryJob(t *testing.T) {
	f := newFixture(t)
	f.things("g", numbered(6)...)
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.NamespaceID, r.Tags = "ns", []jobs.Tag{{Key: "k", Value: "v"}}
		r.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 60}
		r.Scheduling = &jobs.SchedulingConfig{EndTime: f.now.Add(2 * time.Hour).Format(jobs.TimeFormat), EndBehavior: jobs.EndCancel}
	})
	_, err := f.retry("again", nil)
	f.is(err, jobs.ErrInvalidRequest, "nothing to retry")
	f.report("t00", "j", jobs.Succeeded)
	f.report("t01", "j", jobs.Failed)
	f.report("t02", "j", jobs.Rejected)
	f.report("t03", "j", jobs.InProgress)
	f.pass(61 * time.Minute)
	f.report("t04", "j", jobs.InProgress)
	f.pass(3 * time.Hour)
	f.same("j", f.status("j"), "COMPLETED SUCCEEDED:1 FAILED:1 TIMED_OUT:2 REJECTED:1 CANCELED:1")

	dry, err := f.retry("again", func(r *jobs.RetryJobRequest) { r.DryRun = true })
	f.ok(err)
	f.same("dry run", dry, jobs.RetryJobResult{Things: 4})
	dry, err = f.retry("", func(r *jobs.RetryJobRequest) { r.DryRun, r.Failures.Statuses = true, []jobs.Status{jobs.TimedOut} })
	f.ok(err)
	f.same("of one status", dry.Things, 2)
	_, err = f.retry("", nil)
	f.is(err, jobs.ErrInvalidRequest, "jobId")

	subscription := f.Events().Subscribe(100, nil)
	defer subscription.Close()
	made, err := f.retry("again", nil)
	f.ok(err)
	f.same("made", made, jobs.RetryJobResult{
		JobRef: jobs.JobRef{ARN: f.Names().JobARN("again"), ID: "again", Description: "Retry of j"}, Group: "jobgate-retry-again", Things: 4,
	})
	f.same("again", f.status("again"), "IN_PROGRESS QUEUED:4") // already when the call returns
	for range 2 {
		same, err := f.retry("again", nil)
		f.ok(err)
		f.same("the same again", same, made)
	}
	events := ""
	for len(subscription.C()) > 0 {
		e, err := subscription.Next(bg)
		f.ok(err)
		if e.Thing == "" {
			events += fmt.Sprint(e.Type, " ")
		}
	}
	f.same("events", events, "job.created job.updated job.progress ")
	_, err = f.retry("again", func(r *jobs.RetryJobRequest) { r.Failures.ByReason = true })
	f.is(err, jobs.ErrAlreadyExists, "again")
	_, err = f.retry("again", func(r *jobs.RetryJobRequest) { r.DryRun, r.Failures.ByReason = true, true })
	f.is(err, jobs.ErrAlreadyExists, "again")

	d, err := f.DescribeJob(bg, f.now, "again")
	f.ok(err)
	f.same("settings", []any{d.Job.NamespaceID, d.Job.Timeout.InProgressTimeoutInMinutes, d.Job.Scheduling == nil, d.Job.Selection},
		[]any{"ns", 60, true, jobs.Snapshot})
	document, err := f.JobDocument(bg, "again", false)
	f.ok(err)
	f.same("document", document, `{"do":"it"}`)
	for i := 1; i < 5; i++ {
		f.report(fmt.Sprintf("t%02d", i), "again", jobs.Succeeded)
	}
	f.pass(time.Second)
	f.same("again", f.status("again"), "COMPLETED SUCCEEDED:4")
	f.same("t00", f.next("t00"), "nothing")
	f.same("j is unchanged", f.status("j"), "COMPLETED SUCCEEDED:1 FAILED:1 TIMED_OUT:2 REJECTED:1 CANCELED:1")

	f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "again"}))
	f.pass(time.Second)
	_, err = f.retry("again", func(r *jobs.RetryJobRequest) { r.DryRun = true })
	f.is(err, jobs.ErrAlreadyExists, "jobgate-retry-again")
	_, err = f.retry("again", nil)
	f.is(err, jobs.ErrAlreadyExists, "jobgate-retry-again")
}

// TestRetryJobRestarts ends the process while the group is being filled. The next one continues, and no thing gets the job
// twice.
func TestRetryJobRestarts(t *testing.T) {
	f := newFixture(t)
	all := numbered(40)
	f.things("g", all...)
	f.create("j", nil)
	for _, name := range all {
		f.report(name, "j", jobs.Failed)
	}
	small := func() {
		t.Helper()
		service, err := operations.New(operations.Config{Store: f.store, Names: f.Names(), Roles: roles{}, Limits: operations.Limits{ChunkSize: 7}})
		f.ok(err)
		f.Service = service
	}
	small()
	_, err := f.retry("again", func(r *jobs.RetryJobRequest) { r.NewID = "again" })
	f.ok(err)
	f.same("nothing is queued", f.status("again"), "IN_PROGRESS")
	f.is(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j", Force: true}), jobs.ErrInvalidStateTransition, "collected for a retry")
	f.restart()
	small()
	f.pass(time.Second)
	f.same("again", f.status("again"), "IN_PROGRESS QUEUED:40")
	f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j", Force: true}))
	f.pass(time.Second)
	f.same("again", f.status("again"), "IN_PROGRESS QUEUED:40")
}
