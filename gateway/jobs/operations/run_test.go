package operations_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobgate/gateway/jobs"
)

// TestRun checks that Run does the background work when it is due.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		ctx, cancel := context.WithCancel(bg)
		var wg sync.WaitGroup
		wg.Go(func() { f.Driver().Run(ctx) })
		defer wg.Wait()
		defer cancel()
		f.now = time.Now()
		f.things("g", numbered(30)...)
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
			f.now = time.Now()
		}

		f.create("j", func(r *jobs.CreateJobRequest) {
			r.Rollout = &jobs.RolloutConfig{MaximumPerMinute: 10}
			r.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 5}
		})
		f.report("t00", "j", jobs.InProgress)
		pass(59 * time.Second)
		f.same("in the first minute", f.status("j"), "IN_PROGRESS QUEUED:9 IN_PROGRESS:1")
		pass(2 * time.Minute)
		f.same("in three", f.status("j"), "IN_PROGRESS QUEUED:29 IN_PROGRESS:1")
		pass(2*time.Minute + 2*time.Second)
		f.same("timed out", f.status("j"), "IN_PROGRESS QUEUED:29 TIMED_OUT:1")
		for _, name := range numbered(30)[1:] {
			f.report(name, "j", jobs.Succeeded)
		}
		pass(time.Second)
		f.same("ended, within a second", f.status("j"), "COMPLETED SUCCEEDED:29 TIMED_OUT:1")

		start := f.now.Add(2 * time.Hour).Truncate(time.Minute)
		f.create("late", func(r *jobs.CreateJobRequest) {
			r.Scheduling = &jobs.SchedulingConfig{StartTime: start.Format(jobs.TimeFormat)}
		})
		pass(start.Add(-time.Second).Sub(f.now))
		f.same("before", f.status("late"), "SCHEDULED")
		pass(2 * time.Second)
		f.same("after", f.status("late"), "IN_PROGRESS QUEUED:30")
		f.ok(f.DeleteGroup(bg, f.now, "g", 0))
		f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "late", Force: true}))
		pass(time.Second)
		_, err := f.DescribeJob(bg, f.now, "late")
		f.is(err, jobs.ErrNotFound, "late")
	})
}
