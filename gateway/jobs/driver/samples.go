package driver

import (
	"context"
	"sync"
	"time"

	"jobgate/gateway/jobs"
)

// samples remembers the last sample of each job that this process has checked, so that most checks need no store call.
type samples struct {
	mu   sync.Mutex
	last map[int64]jobs.Sample // by Job.Row
}

// maxSampled is how many jobs are remembered.
const maxSampled = 10_000

// due reports whether the store may need a sample, and records it.
func (m *samples) due(row int64, s jobs.Sample, last bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, known := m.last[row]
	if known && (before.Counts == s.Counts || (!last && minute(before.At) == minute(s.At))) {
		return false
	}
	if m.last == nil || len(m.last) >= maxSampled {
		m.last = make(map[int64]jobs.Sample)
	}
	m.last[row] = s
	return true
}

// forget makes the next sample of a job due.
func (m *samples) forget(row int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.last, row)
}

func minute(t time.Time) int64 { return t.Unix() / 60 }

// sample stores a job's counts if a minute has passed since the last sample, or if they are final. If that fails, the next
// check retries.
func (d *Driver) sample(ctx context.Context, now time.Time, j *jobs.Job, p *jobs.Progress) {
	if j.Status == jobs.JobDeleting || p.Counts == (jobs.Counts{}) {
		d.samples.forget(j.Row)
		return
	}
	one := jobs.Sample{At: jobs.Stored(now), Counts: p.Counts}
	if !d.samples.due(j.Row, one, j.Over(p)) {
		return
	}
	if err := ignoreRace(d.store.AddSample(ctx, j, one)); err != nil {
		d.samples.forget(j.Row)
		d.log.Warn("jobs: cannot store a job's progress", "job", j.ID, "error", err)
	}
}
