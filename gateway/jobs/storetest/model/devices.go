package model

import (
	"time"

	"jobgate/gateway/jobs"
)

// next returns a device's next execution.
func (m *model) next(thing string) (*modelJob, *jobs.Execution) {
	var job *modelJob
	var first *jobs.Execution
	for _, j := range m.jobs {
		e := j.latest(thing)
		if e == nil || e.Status.Terminal() || (e.Status == jobs.Queued && j.Status != jobs.JobInProgress) {
			continue
		}
		if first == nil || before(j, e, job, first) {
			job, first = j, e
		}
	}
	return job, first
}

// before reports whether e comes before f in the order of pending executions.
func before(j *modelJob, e *jobs.Execution, k *modelJob, f *jobs.Execution) bool {
	switch {
	case e.Status != f.Status:
		return e.Status == jobs.InProgress
	case !e.QueuedAt.Equal(f.QueuedAt):
		return e.QueuedAt.Before(f.QueuedAt)
	case !j.CreatedAt.Equal(k.CreatedAt):
		return j.CreatedAt.Before(k.CreatedAt)
	}
	return j.ID < k.ID
}

func (m *model) startNext(thing string, step int64) (*jobs.Execution, error) {
	if m.things[thing] == nil {
		return nil, jobs.ErrNotFound
	}
	j, e := m.next(thing)
	if e != nil && (e.Status == jobs.Queued || step != 0) {
		m.run(j, e, step)
	}
	return e, nil
}

// run sets an execution in progress.
func (m *model) run(j *modelJob, e *jobs.Execution, step int64) {
	if e.Status == jobs.Queued {
		e.StartedAt = m.now
		if j.Timeout != nil {
			e.Deadline = m.now.Add(time.Duration(j.Timeout.InProgressTimeoutInMinutes) * time.Minute)
		}
	}
	e.Status, e.Version, e.UpdatedAt = jobs.InProgress, e.Version+1, m.now
	if step > 0 {
		e.StepDeadline = m.now.Add(time.Duration(step) * time.Minute)
	} else if step < 0 {
		e.StepDeadline = time.Time{}
	}
}

func (m *model) update(r *jobs.UpdateExecutionRequest) error {
	j := m.jobs[r.JobID]
	if j == nil || j.latest(r.Thing) == nil {
		return jobs.ErrNotFound
	}
	e := j.latest(r.Thing)
	switch {
	case r.ExpectedVersion != 0 && r.ExpectedVersion != e.Version:
		return jobs.ErrVersionConflict
	case e.Status.Terminal():
		return jobs.ErrInvalidStateTransition
	}
	if r.Details != nil {
		e.Details = jobs.NewStatusDetails(r.Details)
	}
	switch {
	case r.Status == jobs.InProgress:
		m.run(j, e, r.StepMinutes)
		return nil
	case e.Status == jobs.Queued && r.Status != jobs.Rejected:
		e.StartedAt = m.now
	}
	if r.Status == jobs.Failed {
		m.fail(j, r.Thing, jobs.Failed)
	} else {
		m.execute(j, e, r.Status)
	}
	return nil
}

func (m *model) cancelExecution(thing, job string, force bool) error {
	j := m.jobs[job]
	if j == nil || j.latest(thing) == nil {
		return jobs.ErrNotFound
	}
	e := j.latest(thing)
	if e.Status.Terminal() || (e.Status == jobs.InProgress && !force) {
		return jobs.ErrInvalidStateTransition
	}
	m.end(e, jobs.Canceled)
	e.Forced = force
	return nil
}

func (m *model) deleteExecution(thing, job string, number int64, force bool) error {
	j := m.jobs[job]
	if j == nil {
		return jobs.ErrNotFound
	}
	for i, e := range j.things[thing] {
		if e.Number != number {
			continue
		}
		if e.Status == jobs.InProgress && !force {
			return jobs.ErrInvalidStateTransition
		}
		j.things[thing] = append(j.things[thing][:i:i], j.things[thing][i+1:]...)
		if len(j.things[thing]) == 0 {
			delete(j.things, thing)
			j.gone[thing] = true
		}
		return nil
	}
	return jobs.ErrNotFound
}
