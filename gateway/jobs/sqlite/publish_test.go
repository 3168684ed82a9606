package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// TestPublishedInOrder checks the view of a job between the steps in which a change is published, because the job's next step
// may be planned at any of them. A rollout must not be done before its last executions are counted, or the job would be
// completed without them. A sweep that begins must not be shown as ended because the previous one has.
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
			t.Errorf("the rollout is done, but its executions are not counted: %+v", p)
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
			t.Errorf("the job is swept, but an execution is queued: %+v", p)
		}
	})
	publish(swap(3, jobs.SweepCancelAll), func(j *engine.Job, p engine.Progress) {
		if j.Sweep == uint8(jobs.SweepCancelAll) && p.Swept {
			t.Error("a sweep that has not begun is shown as ended")
		}
	})
	if steps == 0 {
		t.Error("no step was checked")
	}
}
