package plan

import (
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// rollOutFor simulates a rollout, planned every step, and returns how many executions it queued in each minute.
func rollOutFor(t *testing.T, c *jobs.RolloutConfig, minutes int, step time.Duration) []int {
	t.Helper()
	j := &jobs.Job{ID: "j", Status: jobs.JobInProgress, Selection: jobs.Snapshot, Rollout: c}
	p := &jobs.Progress{}
	perMinute := make([]int, minutes)
	for now := noon; now.Before(noon.Add(time.Duration(minutes) * time.Minute)); now = now.Add(step) {
		for {
			next, err := Next(j, p, now, 1_000_000)
			if err != nil {
				t.Fatal(err)
			}
			if next.Queue.N == 0 {
				break
			}
			p.Started = true
			p.Notified += int64(next.Queue.N)
			p.Counts[jobs.Queued] += int64(next.Queue.N)
			p.Pace = next.Queue.Pace.Add(time.Duration(next.Queue.N) * next.Queue.Each)
			perMinute[int(now.Sub(noon)/time.Minute)] += next.Queue.N
		}
	}
	return perMinute
}

func TestRolloutRate(t *testing.T) {
	f := func(c *jobs.RolloutConfig, step time.Duration, want ...int) {
		t.Helper()
		if got := rollOutFor(t, c, len(want), step); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v every %v: %v a minute, want %v", c, step, got, want)
		}
	}
	f(&jobs.RolloutConfig{MaximumPerMinute: 1}, time.Second, 1, 1, 1)
	f(&jobs.RolloutConfig{MaximumPerMinute: 7}, time.Second, 7, 7, 7)
	f(&jobs.RolloutConfig{MaximumPerMinute: 60}, 100*time.Millisecond, 60, 60)
	f(&jobs.RolloutConfig{MaximumPerMinute: 1000}, time.Second, 984, 1000, 1000) // the last second's share is queued a second late
	f(&jobs.RolloutConfig{MaximumPerMinute: 60}, 10*time.Second, 11, 12)         // checked too rarely: the unused rate expires

	by := func(notified int64, maximum int64) *jobs.RolloutConfig {
		return &jobs.RolloutConfig{MaximumPerMinute: maximum, ExponentialRate: &jobs.ExponentialRate{
			BaseRatePerMinute: 10, IncrementFactor: 2, RateIncreaseCriteria: jobs.RateIncreaseCriteria{NumberOfNotifiedThings: notified},
		}}
	}
	f(by(10_000, 0), time.Second, 10, 10, 10)
	f(by(20, 40), 100*time.Millisecond, 10, 11, 22, 40, 40) // the 20th is the second minute's last but one
}

func TestRolloutRateOfSuccess(t *testing.T) {
	c := &jobs.RolloutConfig{ExponentialRate: &jobs.ExponentialRate{
		BaseRatePerMinute: 50, IncrementFactor: 1.5, RateIncreaseCriteria: jobs.RateIncreaseCriteria{NumberOfSucceededThings: 100},
	}}
	f := func(succeeded int64, want float64) {
		t.Helper()
		if got := ratePerMinute(c, &jobs.Progress{Notified: 1_000_000, Counts: jobs.Counts{jobs.Succeeded: succeeded}}); got != want {
			t.Errorf("after %d: %v a minute, want %v", succeeded, got, want)
		}
	}
	f(0, 50)
	f(99, 50)
	f(100, 75)
	f(250, 112.5)
	f(1_000_000, 1000) // AWS's maximum, if none is given

	// With both numbers the rate rises when either is reached.
	c.ExponentialRate.RateIncreaseCriteria.NumberOfNotifiedThings = 500_000
	f(0, 112.5)
	f(100, 112.5)
	f(300, 168.75)
}

func TestAbortThreshold(t *testing.T) {
	f := func(percent float64, failed, succeeded int64, want bool) {
		t.Helper()
		j := &jobs.Job{Abort: &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{{FailureType: jobs.FailureFailed, Action: jobs.ActionCancel, ThresholdPercentage: percent, MinNumberOfExecutedThings: 1}}}}
		if _, hit := abortCriterion(j, &jobs.Progress{Counts: jobs.Counts{jobs.Failed: failed, jobs.Succeeded: succeeded}}); hit != want {
			t.Errorf("%g%%, %d of %d failed: aborts %v", percent, failed, failed+succeeded, hit)
		}
	}
	f(50, 1, 1, true)
	f(50.01, 1, 1, false)
	f(33.33, 1, 2, true)
	f(33.34, 1, 2, false)
	f(0.07, 7, 9993, true) // 0.07 has no exact float
	f(0.07, 6, 9994, false)
	f(100, 3, 0, true)
	f(100, 3, 1, false)
	f(0.001, 0, 5, false)
	f(1.15, 115, 9885, true)
	for hundredths := int64(1); hundredths <= 10_000; hundredths++ {
		percent := float64(hundredths) / 100
		f(percent, hundredths, 10_000-hundredths, true)
		f(percent, hundredths-1, 10_001-hundredths, false)
	}
}

// TestAbortOfRetries checks that abort rules count every attempt, but each thing once.
func TestAbortOfRetries(t *testing.T) {
	f := func(percent float64, least int64, counts jobs.Counts, r jobs.Retried, want bool) {
		t.Helper()
		j := &jobs.Job{Abort: &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{{FailureType: jobs.FailureFailed, Action: jobs.ActionCancel, ThresholdPercentage: percent, MinNumberOfExecutedThings: least}}}}
		if _, hit := abortCriterion(j, &jobs.Progress{Counts: counts, Retried: r}); hit != want {
			t.Errorf("%g%% of %d things, %v and %+v: aborts %v", percent, least, counts, r, hit)
		}
	}
	f(1, 1, jobs.Counts{jobs.Queued: 5}, jobs.Retried{Failed: 1, Things: 1}, true)
	f(1, 2, jobs.Counts{jobs.Queued: 5}, jobs.Retried{Failed: 9, Things: 1}, false) // one thing, ten times
	f(50, 2, jobs.Counts{jobs.Succeeded: 2}, jobs.Retried{Failed: 2}, true)         // both at the second attempt
	f(51, 2, jobs.Counts{jobs.Succeeded: 2}, jobs.Retried{Failed: 2}, false)
	f(1, 1, jobs.Counts{jobs.Queued: 5}, jobs.Retried{TimedOut: 1, Things: 1}, false) // counts for another rule
}

// TestPlan checks the steps of jobs' lives, one by one.
func TestPlan(t *testing.T) {
	f := func(j jobs.Job, p jobs.Progress, now time.Time, want string) {
		t.Helper()
		next, err := Next(&j, &p, now, 100)
		if err != nil {
			t.Fatal(err)
		}
		got := "wait"
		switch {
		case next.Swap != nil:
			got = fmt.Sprintf("%s as %s sweep %d", next.Swap.Status, next.Event, next.Swap.Sweep)
		case next.Queue.N > 0:
			got = fmt.Sprint("queue ", next.Queue.N)
		case next.Sweep:
			got = "sweep"
		case next.Remove:
			got = "remove"
		case !next.Wake.IsZero():
			got = "wait until " + next.Wake.Format(jobs.TimeFormat)
		}
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	running := jobs.Job{ID: "j", Status: jobs.JobInProgress, Selection: jobs.Snapshot}
	f(running, jobs.Progress{}, noon, "queue 100")
	f(running, jobs.Progress{Started: true, Done: true, Counts: jobs.Counts{jobs.Queued: 1}}, noon, "wait")
	f(running, jobs.Progress{Started: true, Done: true, Counts: jobs.Counts{jobs.Failed: 1}}, noon, "COMPLETED as job.completed sweep 0")
	f(running, jobs.Progress{Started: true, Done: true}, noon, "COMPLETED as job.completed sweep 0") // there were no things
	continuous := running
	continuous.Selection = jobs.Continuous
	f(continuous, jobs.Progress{Started: true, Done: true, Counts: jobs.Counts{jobs.Succeeded: 1}}, noon, "wait")

	late := running
	late.Status, late.Scheduling = jobs.JobScheduled, &jobs.SchedulingConfig{StartTime: "2026-03-01 13:00", EndTime: "2026-03-01 15:00"}
	f(late, jobs.Progress{}, noon, "wait until 2026-03-01 13:00")
	f(late, jobs.Progress{}, noon.Add(time.Hour), "IN_PROGRESS as job.updated sweep 0")
	late.Status = jobs.JobInProgress
	f(late, jobs.Progress{Done: true, Counts: jobs.Counts{jobs.Queued: 1}}, noon.Add(time.Hour), "wait until 2026-03-01 15:00")
	f(late, jobs.Progress{}, noon.Add(3*time.Hour), "IN_PROGRESS as job.updated sweep 0")
	late.Scheduling.EndBehavior = jobs.EndCancel
	f(late, jobs.Progress{}, noon.Add(3*time.Hour), "IN_PROGRESS as job.updated sweep 1")
	late.Scheduling.EndBehavior = jobs.EndForceCancel
	f(late, jobs.Progress{}, noon.Add(3*time.Hour), "IN_PROGRESS as job.updated sweep 2")
	late.Ended, late.Stopped, late.Selection = true, true, jobs.Continuous
	f(late, jobs.Progress{Counts: jobs.Counts{jobs.InProgress: 1}}, noon.Add(3*time.Hour), "wait")
	f(late, jobs.Progress{Counts: jobs.Counts{jobs.Canceled: 1}}, noon.Add(3*time.Hour), "COMPLETED as job.completed sweep 0")

	window := running
	window.Scheduling = &jobs.SchedulingConfig{MaintenanceWindows: []jobs.MaintenanceWindow{{StartTime: "0 12 * * ? *", DurationInMinutes: 60}}}
	f(window, jobs.Progress{}, noon, "queue 100")
	f(window, jobs.Progress{}, noon.Add(time.Hour), "SCHEDULED as job.updated sweep 0")
	window.Status = jobs.JobScheduled
	f(window, jobs.Progress{}, noon.Add(time.Hour), "wait until 2026-03-02 12:00")

	abort := running
	abort.Abort = &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{
		{FailureType: jobs.FailureTimedOut, Action: jobs.ActionCancel, ThresholdPercentage: 1, MinNumberOfExecutedThings: 1},
		{FailureType: jobs.FailureAll, Action: jobs.ActionCancel, ThresholdPercentage: 50, MinNumberOfExecutedThings: 4},
	}}
	f(abort, jobs.Progress{Done: true, Counts: jobs.Counts{jobs.Queued: 9, jobs.Failed: 3}}, noon, "wait")
	f(abort, jobs.Progress{Done: true, Counts: jobs.Counts{jobs.Queued: 9, jobs.Failed: 1, jobs.Rejected: 1, jobs.Succeeded: 3}}, noon, "wait")
	f(abort, jobs.Progress{Done: true, Counts: jobs.Counts{jobs.Queued: 9, jobs.Failed: 1, jobs.Rejected: 1, jobs.Succeeded: 2}}, noon,
		"CANCELED as job.cancellation_in_progress sweep 1")
	f(abort, jobs.Progress{Done: true, Counts: jobs.Counts{jobs.TimedOut: 1, jobs.Removed: 5}}, noon, "CANCELED as job.cancellation_in_progress sweep 1")

	canceled := running
	canceled.Status, canceled.Sweep = jobs.JobCanceled, jobs.SweepCancelQueued
	f(canceled, jobs.Progress{}, noon, "sweep")
	f(canceled, jobs.Progress{Swept: true}, noon, "CANCELED as job.canceled sweep 0")
	canceled.Sweep = jobs.SweepNone
	f(canceled, jobs.Progress{Counts: jobs.Counts{jobs.InProgress: 1}}, noon, "wait")
	deleting := running
	deleting.Status, deleting.Sweep = jobs.JobDeleting, jobs.SweepDelete
	f(deleting, jobs.Progress{}, noon, "sweep")
	f(deleting, jobs.Progress{Swept: true}, noon, "remove")
}
