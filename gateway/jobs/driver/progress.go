package driver

import (
	"context"
	"sync"
	"time"

	"jobgate/gateway/jobs"
)

// unknown is a value that no job's counts have.
var unknown = jobs.Counts{-1}

// published remembers the counts last published for each job.
type published struct {
	every time.Duration // minimum interval between publications

	mu   sync.Mutex
	last map[string]jobs.Sample // by the job's name
}

// due reports whether to publish counts now, and records them; otherwise when to check again, zero if they were published.
func (m *published) due(jobID string, s jobs.Sample) (now bool, again time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, known := m.last[jobID]
	switch {
	case known && before.Counts == s.Counts, !known && s.Counts == (jobs.Counts{}):
		return false, time.Time{}
	case !known: // another gateway or a rollout may have published them; this gateway will have read that by then
		m.set(jobID, jobs.Sample{At: s.At, Counts: unknown})
		return false, s.At.Add(m.every)
	case known && s.At.Sub(before.At) < m.every && !s.At.Before(before.At):
		return false, before.At.Add(m.every)
	}
	m.set(jobID, s)
	return true, time.Time{}
}

// record records counts that were published elsewhere.
func (m *published) record(jobID string, s jobs.Sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set(jobID, s)
}

func (m *published) set(jobID string, s jobs.Sample) {
	if m.last == nil || len(m.last) >= maxSampled {
		m.last = make(map[string]jobs.Sample)
	}
	m.last[jobID] = s
}

// Soon schedules a job within Config.PublishEvery. It is for devices that have started, which only changes the counts.
func (d *Driver) Soon(jobID string) { d.scheduler.soon(jobID, d.published.every) }

// publishCounts publishes a job's counts if they have changed. The final counts come with the event of the job's end.
func (d *Driver) publishCounts(ctx context.Context, now time.Time, j *jobs.Job, p *jobs.Progress) {
	if j.Over(p) || j.Status == jobs.JobDeleting {
		return
	}
	due, again := d.published.due(j.ID, jobs.Sample{At: now, Counts: p.Counts})
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
