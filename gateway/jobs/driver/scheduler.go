package driver

import (
	"sync"
	"time"
)

// scheduler knows which jobs to check, and when. It is only a cache of the store: other jobs are checked too, every
// lookEvery or, if several gateways share the store, every lookShared, because the feed with the others' changes may be
// delayed.
type scheduler struct {
	kick chan struct{} // wakes Run

	mu    sync.Mutex
	jobs  map[string]time.Time // when to check each job; the zero time is at once
	timer time.Time            // the first timer of an execution; zero: none known
	full  time.Time            // when to check all jobs
	every time.Duration        // how often: lookEvery or lookShared

	groups bool // groups were deleted
}

// Pauses of Run: how often it checks all jobs, and how long it gathers reports before it checks their job.
const (
	lookEvery  = 15 * time.Second
	lookShared = 5 * time.Second
	gatherFor  = 20 * time.Millisecond
)

// Want schedules a job at once.
func (a *scheduler) Want(jobID string) {
	a.mu.Lock()
	if at, wanted := a.jobs[jobID]; wanted && at.IsZero() { // Fast path: Run has been woken for another report
		a.mu.Unlock()
		return
	}
	if a.jobs == nil {
		a.jobs = make(map[string]time.Time)
	}
	a.jobs[jobID] = time.Time{}
	a.mu.Unlock()
	a.wake()
}

// soon schedules a job after a delay, unless it is scheduled already, and wakes Run.
func (a *scheduler) soon(jobID string, after time.Duration) {
	a.mu.Lock()
	_, wanted := a.jobs[jobID]
	a.mu.Unlock()
	if !wanted { // only for the first of several reports
		a.later(jobID, time.Now().Add(after))
		a.wake()
	}
}

// later schedules a job at t, unless it is scheduled already.
func (a *scheduler) later(jobID string, t time.Time) {
	if t.IsZero() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.jobs == nil {
		a.jobs = make(map[string]time.Time)
	}
	if at, ok := a.jobs[jobID]; !ok || t.Before(at) {
		a.jobs[jobID] = t
	}
}

// Expect records that an execution's timer expires at t.
func (a *scheduler) Expect(t time.Time) {
	a.mu.Lock()
	sooner := a.timer.IsZero() || t.Before(a.timer)
	if sooner {
		a.timer = t
	}
	a.mu.Unlock()
	if sooner {
		a.wake()
	}
}

func (a *scheduler) wake() {
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// timerAt records that the store has no timer before t (zero: none at all).
func (a *scheduler) timerAt(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !t.IsZero() && (a.timer.IsZero() || t.Before(a.timer)) {
		a.timer = t
	}
}

// timersDue says whether to query the store for expired timers; the caller passes the answer to timerAt.
func (a *scheduler) timersDue(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if (a.timer.IsZero() || a.timer.After(now)) && !a.lookDue(now) {
		return false
	}
	a.timer = time.Time{}
	return true
}

// WantGroups schedules the sweep of deleted groups.
func (a *scheduler) WantGroups() {
	a.mu.Lock()
	a.groups = true
	a.mu.Unlock()
	a.wake()
}

// lookDue says whether to check all jobs, which is also the case after the clock was set back. a.mu is held.
func (a *scheduler) lookDue(now time.Time) bool {
	return !a.full.After(now) || a.full.After(now.Add(a.every))
}

// markAllDue makes the next take return everything.
func (a *scheduler) markAllDue() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.full = time.Time{}
}

// take returns the jobs that are due, whether to sweep groups, and whether to check all jobs.
func (a *scheduler) take(now time.Time) (ids []string, groups, all bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id, at := range a.jobs {
		if !at.After(now) {
			ids = append(ids, id)
			delete(a.jobs, id)
		}
	}
	if all = a.lookDue(now); all {
		a.full = now.Add(a.every)
	}
	groups = a.groups || all
	a.groups = false
	return ids, groups, all
}

// next returns when the next scheduled work is due.
func (a *scheduler) next() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.groups {
		return time.Time{}
	}
	first := a.full
	for _, at := range a.jobs {
		if at.Before(first) {
			first = at
		}
	}
	if !a.timer.IsZero() && a.timer.Before(first) {
		first = a.timer
	}
	return first
}
