package driver

import (
	"sync"
	"time"
)

// scheduler says which jobs want a look, and when. It is a memory of what the store knows: a job that it does not name is
// looked at within lookEvery all the same, or, where several gateways share the store, within lookShared: their feed says
// what the others change, but something may hold it back.
type scheduler struct {
	kick chan struct{} // wakes Run

	mu    sync.Mutex
	jobs  map[string]time.Time // when each job wants to be looked at; the zero time is at once
	timer time.Time            // the first timer of an execution; zero: none known
	full  time.Time            // when all jobs are looked at
	every time.Duration        // how often they are: lookEvery or lookShared

	groups bool // groups were deleted
}

// Pauses of Run: how often all jobs are looked at, and how long reports may gatherFor before it looks at their job.
const (
	lookEvery  = 15 * time.Second
	lookShared = 5 * time.Second
	gatherFor  = 20 * time.Millisecond
)

// Want puts a job on the schedule at once.
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

// soon puts a job on the schedule after a while, unless it is wanted already, and sees that Run knows.
func (a *scheduler) soon(jobID string, after time.Duration) {
	a.mu.Lock()
	_, wanted := a.jobs[jobID]
	a.mu.Unlock()
	if !wanted { // of the reports of a while, it is one
		a.later(jobID, time.Now().Add(after))
		a.wake()
	}
}

// later puts a job on the schedule at t, unless it is wanted already.
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

// Expect says that a timer of an execution runs out at t.
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

// timerAt says that the store knows of no timer before t (zero: of none).
func (a *scheduler) timerAt(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !t.IsZero() && (a.timer.IsZero() || t.Before(a.timer)) {
		a.timer = t
	}
}

// timersDue says whether the store has to be asked for timers that ran out; who asks calls timerAt with the answer.
func (a *scheduler) timersDue(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if (a.timer.IsZero() || a.timer.After(now)) && !a.lookDue(now) {
		return false
	}
	a.timer = time.Time{}
	return true
}

// WantGroups puts the sweep of deleted groups on the schedule.
func (a *scheduler) WantGroups() {
	a.mu.Lock()
	a.groups = true
	a.mu.Unlock()
	a.wake()
}

// lookDue says whether it is time to look at all jobs, which it also is when the clock was set back. a.mu is held.
func (a *scheduler) lookDue(now time.Time) bool {
	return !a.full.After(now) || a.full.After(now.Add(a.every))
}

// lookAtAll lets the next take return everything.
func (a *scheduler) lookAtAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.full = time.Time{}
}

// take returns the jobs whose time has come, whether groups are to be swept, and whether it is time to look at all.
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

// next returns when something on the schedule comes due.
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
