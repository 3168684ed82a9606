package driver

import (
	"sync"
	"time"
)

// scheduler knows which jobs to check, and when. It is only a cache of the store: other jobs are checked too, every
// checkEvery or, if several gateways share the store, every checkShared, because the feed with the others' changes may be
// delayed.
type scheduler struct {
	kick chan struct{} // wakes Run

	mu    sync.Mutex
	jobs  map[string]time.Time // when to check each job; the zero time is at once
	timer time.Time            // the first timer of an execution; zero: none known
	full  time.Time            // when to check all jobs
	every time.Duration        // how often: checkEvery or checkShared

	groups bool // groups were deleted
}

// Pauses of Run: how often it checks all jobs, and how long it gathers reports before it checks their job.
const (
	checkEvery  = 15 * time.Second
	checkShared = 5 * time.Second
	gatherFor   = 20 * time.Millisecond
)

// Schedule schedules a job at once.
func (s *scheduler) Schedule(jobID string) {
	s.mu.Lock()
	if at, scheduled := s.jobs[jobID]; scheduled && at.IsZero() { // Fast path: Run has been woken for another report
		s.mu.Unlock()
		return
	}
	if s.jobs == nil {
		s.jobs = make(map[string]time.Time)
	}
	s.jobs[jobID] = time.Time{}
	s.mu.Unlock()
	s.wake()
}

// soon schedules a job after a delay, unless it is scheduled already, and wakes Run.
func (s *scheduler) soon(jobID string, after time.Duration) {
	s.mu.Lock()
	_, scheduled := s.jobs[jobID]
	s.mu.Unlock()
	if !scheduled { // only for the first of several reports
		s.later(jobID, time.Now().Add(after))
		s.wake()
	}
}

// later schedules a job at t, unless it is scheduled for an earlier time.
func (s *scheduler) later(jobID string, t time.Time) {
	if t.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.jobs == nil {
		s.jobs = make(map[string]time.Time)
	}
	if at, ok := s.jobs[jobID]; !ok || t.Before(at) {
		s.jobs[jobID] = t
	}
}

// ScheduleTimer records that an execution's timer expires at t.
func (s *scheduler) ScheduleTimer(t time.Time) {
	s.mu.Lock()
	sooner := s.timer.IsZero() || t.Before(s.timer)
	if sooner {
		s.timer = t
	}
	s.mu.Unlock()
	if sooner {
		s.wake()
	}
}

func (s *scheduler) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// timerAt records that the store has no timer before t (zero: none at all).
func (s *scheduler) timerAt(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.IsZero() && (s.timer.IsZero() || t.Before(s.timer)) {
		s.timer = t
	}
}

// timersDue reports whether to query the store for expired timers; the caller passes the answer to timerAt.
func (s *scheduler) timersDue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (s.timer.IsZero() || s.timer.After(now)) && !s.checkDue(now) {
		return false
	}
	s.timer = time.Time{}
	return true
}

// ScheduleGroups schedules the sweep of deleted groups.
func (s *scheduler) ScheduleGroups() {
	s.mu.Lock()
	s.groups = true
	s.mu.Unlock()
	s.wake()
}

// checkDue reports whether to check all jobs, which is also the case after the clock was set back. s.mu is held.
func (s *scheduler) checkDue(now time.Time) bool {
	return !s.full.After(now) || s.full.After(now.Add(s.every))
}

// markAllDue makes the next take return everything.
func (s *scheduler) markAllDue() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = time.Time{}
}

// take returns the jobs that are due, whether to sweep groups, and whether to check all jobs.
func (s *scheduler) take(now time.Time) (ids []string, groups, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, at := range s.jobs {
		if !at.After(now) {
			ids = append(ids, id)
			delete(s.jobs, id)
		}
	}
	if all = s.checkDue(now); all {
		s.full = now.Add(s.every)
	}
	groups = s.groups || all
	s.groups = false
	return ids, groups, all
}

// next returns when the next scheduled work is due.
func (s *scheduler) next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups {
		return time.Time{}
	}
	first := s.full
	for _, at := range s.jobs {
		if at.Before(first) {
			first = at
		}
	}
	if !s.timer.IsZero() && s.timer.Before(first) {
		first = s.timer
	}
	return first
}
