package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// TestPublishedInOrder looks at a job between the steps in which a change is published, as whoever plans its next step
// may: a rollout is not done before its last executions are counted, else the job would be completed without them; and
// a sweep that begins is not said to have ended, as the one before it has.
func TestPublishedInOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	j := s.oneJob(t)
	steps := 0
	publish := func(change func() error, check func(j *engine.Job, p engine.Progress)) {
		t.Helper()
		s.spy.after = func(x *tx) error {
			var each []staged
			for _, step := range x.staged {
				each = append(each, step, staged{what: stagedDo, do: func() {
					steps++
					now, _ := x.view.Jobs.Get("j")
					check(now.Job, now.Progress)
				}})
			}
			x.staged = each
			return nil
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	publish(func() error {
		_, err := s.QueueChunk(bg, jobs.QueueChunk{JobID: "j", Limit: 9, Now: time.Now()})
		return err
	}, func(_ *engine.Job, p engine.Progress) {
		if p.Done && p.Counts[0]+p.Counts[1] == 0 {
			t.Errorf("the rollout is done, and nothing is pending: %+v", p)
		}
	})
	swap := func(version int64, sweep jobs.Sweep) func() error {
		next := j
		next.Version, next.Status, next.Stopped, next.Sweep = version, jobs.JobCanceled, true, sweep
		return func() error {
			_, err := s.SwapJob(bg, next)
			return err
		}
	}
	ignore := func(*engine.Job, engine.Progress) {}
	publish(swap(2, jobs.SweepCancelQueued), ignore)
	publish(func() error {
		_, err := s.SweepJob(bg, jobs.SweepChunk{JobID: "j", Limit: 9, Now: time.Now()})
		return err
	}, func(_ *engine.Job, p engine.Progress) {
		if p.Swept && p.Counts[jobs.Queued] > 0 {
			t.Errorf("it is swept, and one is queued: %+v", p)
		}
	})
	publish(swap(3, jobs.SweepCancelAll), func(j *engine.Job, p engine.Progress) {
		if j.Sweep == uint8(jobs.SweepCancelAll) && p.Swept {
			t.Error("a sweep that has not begun is said to have ended")
		}
	})
	if steps == 0 {
		t.Error("nothing was looked at")
	}
}
