package jobs

import (
	"context"
	"time"
)

// SampleStore keeps what a job's counts were over time.
type SampleStore interface {
	// AddSample keeps a job's counts, unless they are those of the last sample: one a minute, the last of each, and fewer
	// of what is longer ago.
	AddSample(ctx context.Context, j *Job, s Sample) error
	// PublishProgress tells the gateways that share the store a job's counts.
	PublishProgress(ctx context.Context, j *Job, counts *Counts, now time.Time) error
	// Samples returns a job's samples in the order of time.
	Samples(ctx context.Context, jobID string) ([]Sample, error)
}

// Sample is a job's counts at a time.
type Sample struct {
	At     time.Time
	Counts Counts
}

// Over says whether a job's counts change no more.
func (j *Job) Over(p *Progress) bool { return !j.Pending() && p.Counts.Pending() == 0 }
