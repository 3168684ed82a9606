package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// TestPublishedInOrder looks at a job between the steps in which a change is published, as whoever plans its next step
// may: a rollout is not done before its last executions are counted, else the job would be completed without them; and
// a sweep that begins is not said to have ended, as the one before it has.
func TestPublishedInOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	if err := s.CreateThings(bg, things("a", 1)); err != nil {
		t.Fatal(err)
	}
	j := jobs.Job{ID: "j", Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot, Targets: []jobs.Target{{Name: "a00000"}}, CreatedAt: time.Now()}
	if _, err := s.CreateJob(bg, jobs.NewJob{Job: j}); err != nil {
		t.Fatal(err)
	}
	steps := 0
	publish := func(change func(x *tx) error, check func(j *jobs.Job, p jobs.Progress)) {
		t.Helper()
		err := s.write(bg, func(x *tx) error {
			if err := change(x); err != nil {
				return err
			}
			var each []staged
			for _, step := range x.staged {
				each = append(each, step, staged{what: stagedDo, do: func() {
					steps++
					e := x.view.jobs.get("j")
					check(e.job.Load(), e.getProgress())
				}})
			}
			x.staged = each
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	publish(func(x *tx) error {
		return x.queueChunk(&jobs.QueueChunk{JobID: "j", Limit: 9, Now: time.Now()}, new(jobs.QueueResult))
	}, func(_ *jobs.Job, p jobs.Progress) {
		if p.Done && p.Counts.Pending() == 0 {
			t.Errorf("the rollout is done, and nothing is pending: %+v", p)
		}
	})
	swap := func(version int64, sweep jobs.Sweep) func(x *tx) error {
		next := j
		next.Version, next.Status, next.Stopped, next.Sweep = version, jobs.JobCanceled, true, sweep
		return func(x *tx) error { return x.swapJob(&next) }
	}
	ignore := func(*jobs.Job, jobs.Progress) {}
	publish(swap(2, jobs.SweepCancelQueued), ignore)
	publish(func(x *tx) error {
		return x.sweepJob(&jobs.SweepChunk{JobID: "j", Limit: 9, Now: time.Now()}, new(jobs.SweepResult))
	}, func(_ *jobs.Job, p jobs.Progress) {
		if p.Swept && p.Counts[jobs.Queued] > 0 {
			t.Errorf("it is swept, and one is queued: %+v", p)
		}
	})
	publish(swap(3, jobs.SweepCancelAll), func(j *jobs.Job, p jobs.Progress) {
		if j.Sweep == jobs.SweepCancelAll && p.Swept {
			t.Error("a sweep that has not begun is said to have ended")
		}
	})
	if steps == 0 {
		t.Error("nothing was looked at")
	}
}
