package jobs

import "time"

// direct says whether there is somebody to be told of a change by who makes it. Of a shared store's changes all are told
// by its feed, so that they come in one order on every gateway.
func (s *Service) direct() bool { return !s.shared && s.events.Active() }

// publishSwap publishes a change of one execution, and the attempt that follows it.
func (s *Service) publishSwap(swap *Swap) {
	if !s.direct() {
		return
	}
	s.publishExecution(EventExecution, &swap.New)
	if swap.Next != nil {
		s.publishExecution(EventExecution, swap.Next)
	}
}

// publishExecutions publishes changes of many executions.
func (s *Service) publishExecutions(list []Execution) {
	if !s.direct() {
		return
	}
	for i := range list {
		s.publishExecution(EventExecution, &list[i])
	}
}

func (s *Service) publishExecution(t EventType, e *Execution) {
	s.events.publish(&Event{
		Type: t, Time: e.UpdatedAt, JobID: e.Job.ID, Job: e.Job.Status,
		Thing: e.Thing, Number: e.Number, Version: e.Version, Status: e.Status, Retry: e.Retry,
	})
}

// publishJob publishes a change of a job, and logs its end.
func (s *Service) publishJob(t EventType, j *Job, counts *Counts, now time.Time) {
	s.logEnd(t, j, counts)
	if s.direct() {
		s.events.publish(&Event{Type: t, Time: now, JobID: j.ID, Job: j.Status, Counts: *counts, Reason: j.ReasonCode})
	}
}

// logEnd tells the operator that a job is over, or about to be: few lines a job, whoever follows the events.
func (s *Service) logEnd(t EventType, j *Job, counts *Counts) {
	switch t {
	case EventJobCompleted, EventJobCanceling, EventJobCanceled:
		s.log.Info("job ended or ending", "event", string(t), "job", j.ID, "reason", j.ReasonCode,
			"succeeded", counts[Succeeded], "failed", counts[Failed], "timed_out", counts[TimedOut], "rejected", counts[Rejected],
			"canceled", counts[Canceled], "pending", counts.Pending())
	}
}

// publishQueued publishes the executions that a chunk of a rollout queued, and the job's progress.
func (s *Service) publishQueued(j *Job, r *QueueResult, now time.Time) {
	if !s.direct() {
		return
	}
	for _, thing := range r.Things {
		e := Execution{Thing: thing, Job: j, Number: 1, Version: 1, UpdatedAt: now}
		s.publishExecution(EventExecution, &e)
	}
	s.publishJob(EventJobProgress, j, &r.Progress.Counts, now)
}
