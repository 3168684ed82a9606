package jobs

import (
	"context"
	"sync"
	"time"
)

// SampleStore keeps what a job's counts were over time.
type SampleStore interface {
	// AddSample keeps a job's counts, unless they are those of the last sample: one a minute, the last of each, and fewer
	// of what is longer ago.
	AddSample(ctx context.Context, j *Job, s Sample) error
	// Samples returns a job's samples in the order of time.
	Samples(ctx context.Context, jobID string) ([]Sample, error)
}

// Sample is a job's counts at a time.
type Sample struct {
	At     time.Time
	Counts Counts
}

// ProgressOverTime returns what a job's counts were, minute by minute, fewer of what is longer ago; the last are those of
// now, as long as the job runs.
func (s *Service) ProgressOverTime(ctx context.Context, now time.Time, jobID string) ([]Sample, error) {
	j, p, err := s.store.State(ctx, jobID)
	if err != nil {
		return nil, err
	}
	list, err := s.store.Samples(ctx, jobID)
	if err != nil {
		return nil, err
	}
	if n := len(list); j.over(&p) && n > 0 && list[n-1].Counts == p.Counts {
		return list, nil
	}
	if len(list) == 0 {
		list = append(list, Sample{At: j.CreatedAt})
	}
	return append(list, Sample{stored(now), p.Counts}), nil
}

// over says whether a job's counts change no more.
func (j *Job) over(p *Progress) bool { return !j.Pending() && p.Counts.Pending() == 0 }

// samples is a memory of the last sample of each job that this process looks at, so that most looks need not ask the store.
type samples struct {
	mu   sync.Mutex
	last map[int64]Sample // by Job.Row
}

// maxSampled is how many jobs are remembered.
const maxSampled = 10_000

// due says whether the store may have use for a sample, and remembers it.
func (m *samples) due(row int64, s Sample, last bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, known := m.last[row]
	if known && (before.Counts == s.Counts || (!last && minute(before.At) == minute(s.At))) {
		return false
	}
	if m.last == nil || len(m.last) >= maxSampled {
		m.last = make(map[int64]Sample)
	}
	m.last[row] = s
	return true
}

// forget lets the next sample of a job be due.
func (m *samples) forget(row int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.last, row)
}

func minute(t time.Time) int64 { return t.Unix() / 60 }

// sample keeps a job's counts if a minute has passed since it did, or if they are the last that there will be. If that
// fails, the next look tries again.
func (s *Service) sample(ctx context.Context, now time.Time, j *Job, p *Progress) {
	if j.Status == JobDeleting || p.Counts == (Counts{}) {
		s.samples.forget(j.Row)
		return
	}
	one := Sample{stored(now), p.Counts}
	if !s.samples.due(j.Row, one, j.over(p)) {
		return
	}
	if err := ignoreRace(s.store.AddSample(ctx, j, one)); err != nil {
		s.samples.forget(j.Row)
		s.log.Warn("jobs: cannot keep a job's progress", "job", j.ID, "error", err)
	}
}
