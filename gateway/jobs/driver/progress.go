package driver

import (
	"context"
	"sync"
	"time"

	"jobgate/gateway/jobs"
)

// unknown are counts that no job has.
var unknown = jobs.Counts{-1}

// told is a memory of the counts that the followers of each job were told last.
type told struct {
	every time.Duration // at most, however many devices report

	mu   sync.Mutex
	last map[string]jobs.Sample // by the job's name
}

// due says whether counts are worth telling now, and remembers them; or when to look again, zero if they were told.
func (m *told) due(jobID string, s jobs.Sample) (now bool, again time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, known := m.last[jobID]
	switch {
	case known && before.Counts == s.Counts, !known && s.Counts == (jobs.Counts{}):
		return false, time.Time{}
	case !known: // another gateway, or a rollout, may have told them: what it told is read by then
		m.set(jobID, jobs.Sample{At: s.At, Counts: unknown})
		return false, s.At.Add(m.every)
	case known && s.At.Sub(before.At) < m.every && !s.At.Before(before.At):
		return false, before.At.Add(m.every)
	}
	m.set(jobID, s)
	return true, time.Time{}
}

// were notes counts that the followers were told otherwise.
func (m *told) were(jobID string, s jobs.Sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(jobID, s)
}

func (m *told) set(jobID string, s jobs.Sample) {
	if m.last == nil || len(m.last) >= maxSampled {
		m.last = make(map[string]jobs.Sample)
	}
	m.last[jobID] = s
}

// Soon puts a job on the schedule within Config.TellEvery: devices have begun it, of which nothing but its counts follows.
func (d *Driver) Soon(jobID string) { d.scheduler.soon(jobID, d.told.every) }

// tell publishes a job's counts if they have changed. Those of a job that is over come with its end.
func (d *Driver) tell(ctx context.Context, now time.Time, j *jobs.Job, p *jobs.Progress) {
	if j.Over(p) || j.Status == jobs.JobDeleting {
		return
	}
	due, again := d.told.due(j.ID, jobs.Sample{At: now, Counts: p.Counts})
	if !due {
		d.scheduler.later(j.ID, again)
		return
	}
	if d.publish.Direct() {
		d.publish.Job(jobs.EventJobProgress, j, &p.Counts, now)
	} else if err := d.store.PublishProgress(ctx, j, &p.Counts, now); err != nil {
		d.log.Warn("jobs: cannot publish a job's progress", "job", j.ID, "error", err)
	}
}
