package driver

import (
	"log/slog"
	"time"

	"jobgate/gateway/jobs"
)

// Publisher publishes changes as events, and logs the end of jobs. It is safe for concurrent use.
type Publisher struct {
	jobs.Events
	shared bool
	log    *slog.Logger
}

// NewPublisher returns a Publisher for a store; shared reports whether other processes use the store too.
func NewPublisher(shared bool, log *slog.Logger) *Publisher {
	return &Publisher{shared: shared, log: log}
}

// Direct reports whether to publish a change where it is made. Changes of a shared store are published from its feed
// instead, so that they have the same order on every gateway.
func (p *Publisher) Direct() bool { return !p.shared && p.Active() }

// Swap publishes a change of one execution, and the attempt that follows it.
func (p *Publisher) Swap(swap *jobs.Swap) {
	if !p.Direct() {
		return
	}
	p.Execution(jobs.EventExecution, &swap.New)
	if swap.Next != nil {
		p.Execution(jobs.EventExecution, swap.Next)
	}
}

// Executions publishes changes of many executions.
func (p *Publisher) Executions(list []jobs.Execution) {
	if !p.Direct() {
		return
	}
	for i := range list {
		p.Execution(jobs.EventExecution, &list[i])
	}
}

// Execution publishes a change of an execution, also if Direct is false.
func (p *Publisher) Execution(t jobs.EventType, e *jobs.Execution) {
	p.Publish(&jobs.Event{
		Type: t, Time: e.UpdatedAt, JobID: e.Job.ID, Job: e.Job.Status,
		Thing: e.Thing, Number: e.Number, Version: e.Version, Status: e.Status, Retry: e.Retry, Details: e.LastDetails(),
	})
}

// Job publishes a change of a job, and logs its end.
func (p *Publisher) Job(t jobs.EventType, j *jobs.Job, counts *jobs.Counts, now time.Time) {
	p.logEnd(t, j, counts)
	if p.Direct() {
		p.Publish(&jobs.Event{Type: t, Time: now, JobID: j.ID, Job: j.Status, Counts: *counts, Reason: j.ReasonCode})
	}
}

// logEnd logs that a job has ended or is about to end: a few lines per job.
func (p *Publisher) logEnd(t jobs.EventType, j *jobs.Job, counts *jobs.Counts) {
	switch t {
	case jobs.EventJobCompleted, jobs.EventJobCanceling, jobs.EventJobCanceled:
		p.log.Info("job ended or ending", "event", string(t), "job", j.ID, "reason", j.ReasonCode,
			"succeeded", counts[jobs.Succeeded], "failed", counts[jobs.Failed], "timed_out", counts[jobs.TimedOut], "rejected", counts[jobs.Rejected],
			"canceled", counts[jobs.Canceled], "pending", counts.Pending())
	}
}

// Queued publishes the executions queued by a chunk of a rollout, and the job's progress.
func (p *Publisher) Queued(j *jobs.Job, r *jobs.QueueResult, now time.Time) {
	if !p.Direct() {
		return
	}
	for _, thing := range r.Things {
		e := jobs.Execution{Thing: thing, Job: j, Number: 1, Version: 1, UpdatedAt: now}
		p.Execution(jobs.EventExecution, &e)
	}
	p.Job(jobs.EventJobProgress, j, &r.Progress.Counts, now)
}
