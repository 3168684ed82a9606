package model

import (
	"math"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/plan"
)

func (m *model) schedule(j *modelJob) (begins, ends time.Time) {
	if j.Scheduling == nil {
		return begins, ends
	}
	begins, _ = time.Parse(jobs.TimeFormat, j.Scheduling.StartTime)
	ends, _ = time.Parse(jobs.TimeFormat, j.Scheduling.EndTime)
	return begins, ends
}

// isOpen goes back minute by minute to find the start of a window that has not ended.
func (m *model) isOpen(j *modelJob, begins time.Time) bool {
	if m.now.Before(begins) {
		return false
	}
	if j.Scheduling == nil || len(j.Scheduling.MaintenanceWindows) == 0 {
		return true
	}
	for _, w := range j.Scheduling.MaintenanceWindows {
		cron, err := plan.ParseCron(w.StartTime)
		if err != nil {
			return false
		}
		for back := range w.DurationInMinutes {
			minute := m.now.Truncate(time.Minute).Add(-time.Duration(back) * time.Minute)
			if cron.Next(minute.Add(-time.Minute)).Equal(minute) && !minute.Before(begins) {
				return true
			}
		}
	}
	return false
}

// rollOut queues what the rate allows.
func (m *model) rollOut(j *modelJob, rolled func(j *modelJob, n int) bool) bool {
	if !j.limited {
		j.started, j.done, j.pace = true, true, m.now
		for thing := range m.things {
			e := j.latest(thing)
			if m.within(j, j.ahead, thing) && (e == nil || e.Status == jobs.Removed) {
				m.queue(j, thing)
				j.queued++
			}
		}
		j.ahead = aim{}
		return true
	}
	n := min(m.allowed(j), m.chunk)
	return n > 0 && rolled(j, n)
}

// allowed returns how many executions a limited rollout may queue now.
func (m *model) allowed(j *modelJob) int {
	rate := float64(j.Rollout.MaximumPerMinute)
	if rate == 0 && j.Rollout.ExponentialRate == nil {
		j.pace, j.each = m.now, 0
		return m.chunk
	}
	if e := j.Rollout.ExponentialRate; e != nil {
		steps := int64(0)
		if by := e.RateIncreaseCriteria; by.NumberOfNotifiedThings > 0 {
			steps = j.queued / by.NumberOfNotifiedThings
		}
		if by := e.RateIncreaseCriteria; by.NumberOfSucceededThings > 0 {
			c := j.counts()
			steps = max(steps, c[jobs.Succeeded]/by.NumberOfSucceededThings)
		}
		most := rate
		if most == 0 {
			most = 1000
		}
		rate = float64(e.BaseRatePerMinute)
		for range steps {
			rate *= e.IncrementFactor
		}
		rate = min(rate, most)
	}
	j.each = time.Duration(math.Ceil(60_000/rate)) * time.Millisecond
	if !j.started {
		j.pace = m.now.Add(-j.each)
	}
	if lapse := m.now.Add(-j.each - time.Second); j.pace.Before(lapse) {
		j.pace = lapse
	}
	return int(m.now.Sub(j.pace) / j.each)
}
