package jobs

import (
	"context"
	"time"
)

// SampleStore keeps a history of a job's counts.
type SampleStore interface {
	// AddSample stores a job's counts, unless they equal the last sample. It keeps the last sample of each minute, and
	// fewer of older times.
	AddSample(ctx context.Context, j *Job, s Sample) error
	// PublishProgress sends a job's counts to the gateways that share the store.
	PublishProgress(ctx context.Context, j *Job, counts *Counts, now time.Time) error
	// Samples returns a job's samples in the order of time.
	Samples(ctx context.Context, jobID string) ([]Sample, error)
}

// Sample is a job's counts at a time.
type Sample struct {
	At     time.Time
	Counts Counts
}

// Over reports whether a job's counts are final.
func (j *Job) Over(p *Progress) bool { return !j.Pending() && p.Counts.Pending() == 0 }
