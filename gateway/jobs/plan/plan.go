// Package plan is the state machine of a job (AWS.md §6): its schedule, rollout rate and abort rules. It is pure: from a
// job, its progress and the time, Next returns the one next step. The caller takes the step and calls Next again, until the
// step is to wait.
//
//	SCHEDULED ◄──windows──► IN_PROGRESS ──all ended──► COMPLETED
//	    └──────────┬────────────┘
//	               ├─ operator, abort rule ─► CANCELED ── sweep
//	               └─ DeleteJob ────────────► DELETION_IN_PROGRESS ── sweep ─► gone
package plan

import (
	"fmt"
	"math"
	"time"

	"jobgate/gateway/jobs"
)

// Step is one step. At most one of Swap, Fill, Queue, Sweep and Remove is set.
type Step struct {
	Swap   *jobs.Job      // store this state
	Event  jobs.EventType // the Swap's event
	Fill   bool           // fill a chunk of the job's group
	Queue  Allowance      // queue executions
	Sweep  bool           // sweep a chunk
	Remove bool           // the job is empty: remove it
	Wake   time.Time      // nothing to do until then; zero: until something changes
}

// Allowance is how many executions a rollout may queue. Each uses up some of the rate, starting at Pace.
type Allowance struct {
	N    int
	Pace time.Time
	Each time.Duration
}

// Next returns j's next step at now. chunk bounds a chunk of the rollout.
func Next(j *jobs.Job, p *jobs.Progress, now time.Time, chunk int) (Step, error) {
	if j.Status == jobs.JobDeleting && p.Swept {
		return Step{Remove: true}, nil
	}
	if j.Sweep != jobs.SweepNone {
		if !p.Swept {
			return Step{Sweep: true}, nil
		}
		next := *j
		next.Sweep = jobs.SweepNone
		return swapTo(&next, eventAfterSweep(j), now), nil
	}
	if j.Status.Terminal() {
		return Step{}, nil
	}
	if j.Filling {
		return Step{Fill: true}, nil
	}
	s, err := ParseSchedule(j.Scheduling)
	if err != nil {
		return Step{}, fmt.Errorf("cannot read the schedule of job %q: %w", j.ID, err)
	}
	if c, hit := abortCriterion(j, p); hit {
		return swapTo(abortJob(j, c, now), jobs.EventJobCanceling, now), nil
	}
	if !j.Ended && !s.end.IsZero() && !now.Before(s.end) {
		return swapTo(endJob(j), jobs.EventJobUpdated, now), nil
	}
	if finished(j, p) {
		next := *j
		next.Status, next.CompletedAt = jobs.JobCompleted, now
		return swapTo(&next, jobs.EventJobCompleted, now), nil
	}
	return runJob(j, p, &s, now, chunk), nil
}

// runJob opens and closes the job by its schedule, and rolls it out while it is open.
func runJob(j *jobs.Job, p *jobs.Progress, s *Schedule, now time.Time, chunk int) Step {
	open, changes := s.Open(now)
	if j.Ended {
		open, changes = true, time.Time{} // executions queued before the end may still run
	}
	if !j.Ended && !s.end.IsZero() && (changes.IsZero() || s.end.Before(changes)) {
		changes = s.end
	}
	if open != (j.Status == jobs.JobInProgress) {
		next := *j
		next.Status = jobs.JobScheduled
		if open {
			next.Status = jobs.JobInProgress
		}
		return swapTo(&next, jobs.EventJobUpdated, now)
	}
	if !open || j.Stopped || p.Done {
		return Step{Wake: changes}
	}
	allowed, wake := allow(j.Rollout, p, now, chunk)
	if allowed.N > 0 {
		return Step{Queue: allowed}
	}
	if !changes.IsZero() && changes.Before(wake) {
		wake = changes
	}
	return Step{Wake: wake}
}

func swapTo(next *jobs.Job, event jobs.EventType, now time.Time) Step {
	next.Version++
	next.UpdatedAt = now
	return Step{Swap: next, Event: event}
}

// eventAfterSweep returns the event at the end of a job's sweep.
func eventAfterSweep(j *jobs.Job) jobs.EventType {
	if j.Status == jobs.JobCanceled {
		return jobs.EventJobCanceled
	}
	return jobs.EventJobUpdated
}

// finished reports whether all executions have ended and no more will be created.
func finished(j *jobs.Job, p *jobs.Progress) bool {
	if p.Counts.Pending() > 0 || (!p.Done && !j.Stopped) {
		return false
	}
	return j.Selection == jobs.Snapshot || j.Ended
}

// endJob returns j at its end time: nothing more is queued, and endBehavior applies to the remaining executions.
func endJob(j *jobs.Job) *jobs.Job {
	next := *j
	next.Ended, next.Stopped = true, true
	if next.Sweep = j.Scheduling.EndSweep(); next.Sweep == jobs.SweepNone {
		next.Status = jobs.JobInProgress // no further window opens, but queued executions may still run
	}
	return &next
}

// ReasonAborted is the reason code of a job that an abort rule canceled.
const ReasonAborted = "ABORT_CRITERIA_MET"

// abortJob returns j canceled by an abort rule.
func abortJob(j *jobs.Job, c *jobs.AbortCriteria, now time.Time) *jobs.Job {
	next := Cancel(j, false, now)
	next.ReasonCode = ReasonAborted
	next.Comment = fmt.Sprintf("Canceled by the abort criteria: %s executions reached %g%% of at least %d executed.",
		c.FailureType, c.ThresholdPercentage, c.MinNumberOfExecutedThings)
	return next
}

// Cancel returns j canceled. A forced sweep in progress continues, because devices have already been notified of it.
func Cancel(j *jobs.Job, force bool, now time.Time) *jobs.Job {
	next := *j
	next.Status, next.CompletedAt, next.Stopped = jobs.JobCanceled, now, true
	next.ForceCanceled, next.Sweep = force, jobs.SweepCancelQueued
	if force || j.Sweep == jobs.SweepCancelAll {
		next.Sweep = jobs.SweepCancelAll
	}
	return &next
}

// abortCriterion returns the first rule that is met. Rules count attempts that devices ended or that timed out. A failed
// attempt counts at once, even if it is retried ("multiple retry failures", AWS.md §6). A thing counts as executed once,
// when its first attempt has ended.
func abortCriterion(j *jobs.Job, p *jobs.Progress) (*jobs.AbortCriteria, bool) {
	if j.Abort == nil {
		return nil, false
	}
	attempts := p.Counts
	attempts[jobs.Failed] += p.Retried.Failed
	attempts[jobs.TimedOut] += p.Retried.TimedOut
	ended, things := attempts.Executed(), p.Counts.Executed()+p.Retried.Things
	for i := range j.Abort.CriteriaList {
		c := &j.Abort.CriteriaList[i]
		if ended == 0 || things < c.MinNumberOfExecutedThings {
			continue
		}
		hundredths := int64(math.Round(c.ThresholdPercentage * 100)) // AWS keeps two decimals; 0.07 times 10000 is above 700
		if n := failures(&attempts, c.FailureType); n*10_000 >= hundredths*ended && n > 0 {
			return c, true
		}
	}
	return nil, false
}

// failures counts the executions of a failure type.
func failures(c *jobs.Counts, failureType string) int64 {
	switch failureType {
	case jobs.FailureFailed:
		return c[jobs.Failed]
	case jobs.FailureRejected:
		return c[jobs.Rejected]
	case jobs.FailureTimedOut:
		return c[jobs.TimedOut]
	}
	return c[jobs.Failed] + c[jobs.Rejected] + c[jobs.TimedOut]
}

// defaultMaximumPerMinute caps an exponential rollout that names no maximum (AWS.md §6).
const defaultMaximumPerMinute = 1000

// ratePerMinute returns a rollout's current rate; 0 is no limit.
func ratePerMinute(c *jobs.RolloutConfig, p *jobs.Progress) float64 {
	if c == nil {
		return 0
	}
	e := c.ExponentialRate
	if e == nil {
		return float64(c.MaximumPerMinute)
	}
	limit := float64(c.MaximumPerMinute)
	if limit == 0 {
		limit = defaultMaximumPerMinute
	}
	steps := int64(0)
	if n := e.RateIncreaseCriteria.NumberOfNotifiedThings; n > 0 {
		steps = p.Notified / n
	}
	if n := e.RateIncreaseCriteria.NumberOfSucceededThings; n > 0 { // whichever is reached first
		steps = max(steps, p.Counts[jobs.Succeeded]/n)
	}
	return min(limit, float64(e.BaseRatePerMinute)*math.Pow(e.IncrementFactor, float64(steps)))
}

// allow returns how many executions a rollout may queue at now or, if none, when it may. Unused rate expires after a second,
// so that a delayed rollout does not catch up in a burst.
func allow(c *jobs.RolloutConfig, p *jobs.Progress, now time.Time, chunk int) (Allowance, time.Time) {
	rate := ratePerMinute(c, p)
	if rate <= 0 {
		return Allowance{N: chunk, Pace: now}, time.Time{}
	}
	each := time.Duration(math.Ceil(60_000/rate)) * time.Millisecond // the stores' precision, rounded so as never to be too fast
	pace := p.Pace
	if earliest := now.Add(-each - time.Second); pace.Before(earliest) {
		pace = earliest
	}
	if !p.Started || pace.After(now.Add(time.Second)) {
		pace = now.Add(-each) // the first is queued at once, also after the clock was set back
	}
	if n := int(now.Sub(pace) / each); n > 0 {
		return Allowance{min(n, chunk), pace, each}, time.Time{}
	}
	return Allowance{}, pace.Add(max(each, time.Second))
}
