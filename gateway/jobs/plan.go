package jobs

import (
	"fmt"
	"math"
	"time"
)

// The state machine of a job (AWS.md §6). Pure: planJob looks at a job, at what has been done for it and at the clock,
// and says the one step that comes next. Whoever runs it takes the step and asks again, until the plan is to wait.
//
//	SCHEDULED ◄──windows──► IN_PROGRESS ──all ended──► COMPLETED
//	    └──────────┬────────────┘
//	               ├─ operator, abort rule ─► CANCELED ── sweep
//	               └─ DeleteJob ────────────► DELETION_IN_PROGRESS ── sweep ─► gone

// plan is one step. At most one of swap, queue, sweep and remove is set.
type plan struct {
	swap   *Job      // put this state in place
	event  EventType // what the swap is to be told as
	queue  allowance // queue executions
	sweep  bool      // sweep a chunk
	remove bool      // the job is empty: remove it
	wake   time.Time // nothing to do before this; zero: not until something changes
}

// allowance is how many executions a rollout may queue. Each uses up some of its rate, from pace on.
type allowance struct {
	n    int
	pace time.Time
	each time.Duration
}

// planJob returns the step that comes next for j at now. chunk bounds a chunk of the rollout.
func planJob(j *Job, p *Progress, now time.Time, chunk int) (plan, error) {
	if j.Status == JobDeleting && p.Swept {
		return plan{remove: true}, nil
	}
	if j.Sweep != SweepNone {
		if !p.Swept {
			return plan{sweep: true}, nil
		}
		next := *j
		next.Sweep = SweepNone
		return swapTo(&next, eventAfterSweep(j), now), nil
	}
	if j.Status.Terminal() {
		return plan{}, nil
	}
	s, err := parseSchedule(j.Scheduling)
	if err != nil {
		return plan{}, fmt.Errorf("cannot read the schedule of job %q: %w", j.ID, err)
	}
	if c, hit := abortCriterion(j, p); hit {
		return swapTo(abortJob(j, c, now), EventJobCanceling, now), nil
	}
	if !j.Ended && !s.end.IsZero() && !now.Before(s.end) {
		return swapTo(endJob(j), EventJobUpdated, now), nil
	}
	if finished(j, p) {
		next := *j
		next.Status, next.CompletedAt = JobCompleted, now
		return swapTo(&next, EventJobCompleted, now), nil
	}
	return runJob(j, p, &s, now, chunk), nil
}

// runJob opens and closes the job by its schedule, and rolls it out while it is open.
func runJob(j *Job, p *Progress, s *schedule, now time.Time, chunk int) plan {
	open, changes := s.open(now)
	if j.Ended {
		open, changes = true, time.Time{} // what was rolled out before the end may still run
	}
	if !j.Ended && !s.end.IsZero() && (changes.IsZero() || s.end.Before(changes)) {
		changes = s.end
	}
	if open != (j.Status == JobInProgress) {
		next := *j
		next.Status = JobScheduled
		if open {
			next.Status = JobInProgress
		}
		return swapTo(&next, EventJobUpdated, now)
	}
	if !open || j.Stopped || p.Done {
		return plan{wake: changes}
	}
	allowed, wake := allow(j.Rollout, p, now, chunk)
	if allowed.n > 0 {
		return plan{queue: allowed}
	}
	if !changes.IsZero() && changes.Before(wake) {
		wake = changes
	}
	return plan{wake: wake}
}

func swapTo(next *Job, event EventType, now time.Time) plan {
	next.Version++
	next.UpdatedAt = now
	return plan{swap: next, event: event}
}

// eventAfterSweep says what the end of a job's sweep means.
func eventAfterSweep(j *Job) EventType {
	if j.Status == JobCanceled {
		return EventJobCanceled
	}
	return EventJobUpdated
}

// finished says whether every execution that there will ever be has ended.
func finished(j *Job, p *Progress) bool {
	if p.Counts.Pending() > 0 || (!p.Done && !j.Stopped) {
		return false
	}
	return j.Selection == Snapshot || j.Ended
}

// endJob returns j at its end time: nothing more is queued, and what is left ends as endBehavior says.
func endJob(j *Job) *Job {
	next := *j
	next.Ended, next.Stopped = true, true
	if next.Sweep = endSweep(j.Scheduling); next.Sweep == SweepNone {
		next.Status = JobInProgress // no further window opens, but what was queued may still run
	}
	return &next
}

// endSweep is what an end time does to the executions that have not ended.
func endSweep(c *SchedulingConfig) Sweep {
	switch {
	case c != nil && c.EndBehavior == EndCancel:
		return SweepCancelQueued
	case c != nil && c.EndBehavior == EndForceCancel:
		return SweepCancelAll
	}
	return SweepNone
}

// ReasonAborted is the reason code of a job that an abort rule canceled.
const ReasonAborted = "ABORT_CRITERIA_MET"

// abortJob returns j canceled by one of its abort rules.
func abortJob(j *Job, c *AbortCriteria, now time.Time) *Job {
	next := cancelJob(j, false, now)
	next.ReasonCode = ReasonAborted
	next.Comment = fmt.Sprintf("Canceled by the abort criteria: %s executions reached %g%% of at least %d executed.",
		c.FailureType, c.ThresholdPercentage, c.MinNumberOfExecutedThings)
	return next
}

// cancelJob returns j canceled. A sweep by force that is under way goes on: devices know of it.
func cancelJob(j *Job, force bool, now time.Time) *Job {
	next := *j
	next.Status, next.CompletedAt, next.Stopped = JobCanceled, now, true
	next.ForceCanceled, next.Sweep = force, SweepCancelQueued
	if force || j.Sweep == SweepCancelAll {
		next.Sweep = SweepCancelAll
	}
	return &next
}

// abortCriterion returns the first rule that is met. Rules look at executions that devices ended or let time out, each
// attempt for itself: one that is retried is a failure at once ("multiple retry failures", AWS.md §6). A thing counts as
// executed once, when its first attempt has ended.
func abortCriterion(j *Job, p *Progress) (*AbortCriteria, bool) {
	if j.Abort == nil {
		return nil, false
	}
	attempts := p.Counts
	attempts[Failed] += p.Retried.Failed
	attempts[TimedOut] += p.Retried.TimedOut
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
func failures(c *Counts, failureType string) int64 {
	switch failureType {
	case FailureFailed:
		return c[Failed]
	case FailureRejected:
		return c[Rejected]
	case FailureTimedOut:
		return c[TimedOut]
	}
	return c[Failed] + c[Rejected] + c[TimedOut]
}

// defaultMaximumPerMinute caps an exponential rollout that names no maximum (AWS.md §6).
const defaultMaximumPerMinute = 1000

// ratePerMinute returns the rate that a rollout is at; 0 is no limit.
func ratePerMinute(c *RolloutConfig, p *Progress) float64 {
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
		steps = max(steps, p.Counts[Succeeded]/n)
	}
	return min(limit, float64(e.BaseRatePerMinute)*math.Pow(e.IncrementFactor, float64(steps)))
}

// allow returns how many executions a rollout may queue at now, and if none, when it may. Unused rate lapses a second
// after an execution could have been queued: a rollout that was held up does not make up for it in a burst.
func allow(c *RolloutConfig, p *Progress, now time.Time, chunk int) (allowance, time.Time) {
	rate := ratePerMinute(c, p)
	if rate <= 0 {
		return allowance{n: chunk, pace: now}, time.Time{}
	}
	each := time.Duration(math.Ceil(60_000/rate)) * time.Millisecond // what stores keep, and never too fast
	pace := p.Pace
	if earliest := now.Add(-each - time.Second); pace.Before(earliest) {
		pace = earliest
	}
	if !p.Started || pace.After(now.Add(time.Second)) {
		pace = now.Add(-each) // the first goes out at once, and the first after the clock was set back
	}
	if n := int(now.Sub(pace) / each); n > 0 {
		return allowance{min(n, chunk), pace, each}, time.Time{}
	}
	return allowance{}, pace.Add(max(each, time.Second))
}
