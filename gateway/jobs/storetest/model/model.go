// Package model compares a service over an engine with a model, operation by operation.
//
//	Run: an operation, chosen at random ─┬─► operations.Service ──► an engine
//	                                     └─► model                   compares every answer, and now and then all data
package model

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"jobgate/gateway/jobs"
)

// start is the time at which every run begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// model is a second implementation of the service, as simple as possible: no versions to swap, no chunks, no cursors,
// everything in maps. It shares only types and the parsing of cron expressions with the service, no rules.
type model struct {
	now    time.Time
	serial int // orders joins and jobs
	things map[string]*modelThing
	groups map[string]*modelGroup
	jobs   map[string]*modelJob
	chunk  int // how many executions a rollout queues in one step
}

type modelThing struct {
	groups map[*modelGroup]int // with the serial of the join
	modelRecord
}

type modelGroup struct {
	name   string
	parent *modelGroup
	modelRecord
}

// modelRecord has the fields of a thing or a group that updates change.
type modelRecord struct {
	text       string // the thing's type, the group's description
	attributes map[string]string
	version    int64
}

type modelJob struct {
	jobs.Job
	serial  int
	aim     aim
	ahead   aim                         // targets that the rollout has not passed
	things  map[string][]jobs.Execution // attempts, the latest last
	gone    map[string]bool             // things that the rollout may leave out
	started bool
	done    bool
	limited bool      // its rollout has, or had, a rate
	queued  int64     // by the rollout
	pace    time.Time // of the rollout
	each    time.Duration

	attempts jobs.Counts // those that were retried, by status
	trying   int64       // things whose retry has not ended
}

// aim is a set of a job's targets.
type aim struct {
	groups map[*modelGroup]bool
	direct map[string]bool
}

func newModel() *model {
	return &model{
		now: start, things: make(map[string]*modelThing), groups: make(map[string]*modelGroup), jobs: make(map[string]*modelJob),
	}
}

// latest returns a thing's latest execution of a job.
func (j *modelJob) latest(thing string) *jobs.Execution {
	list := j.things[thing]
	if len(list) == 0 {
		return nil
	}
	return &list[len(list)-1]
}

func (j *modelJob) counts() (c jobs.Counts) {
	for _, list := range j.things {
		c[list[len(list)-1].Status]++
	}
	return c
}

// targets reports whether a thing is one of the job's targets now.
func (m *model) targets(j *modelJob, thing string) bool { return m.within(j, j.aim, thing) }

func (m *model) within(j *modelJob, a aim, thing string) bool {
	t := m.things[thing]
	if t == nil {
		return false
	}
	if a.direct[thing] {
		return true
	}
	for g, joined := range t.groups {
		if j.Selection == jobs.Snapshot && joined > j.serial {
			continue
		}
		for ; g != nil; g = g.parent {
			if a.groups[g] {
				return true
			}
		}
	}
	return false
}

// running reports whether a job has not ended.
func (j *modelJob) running() bool {
	return j.Status == jobs.JobInProgress || j.Status == jobs.JobScheduled
}

// queue adds an execution.
func (m *model) queue(j *modelJob, thing string) {
	number := int64(1)
	if e := j.latest(thing); e != nil {
		number = e.Number + 1
	}
	j.things[thing] = append(j.things[thing], jobs.Execution{
		Thing: thing, Number: number, Version: 1, QueuedAt: m.now, UpdatedAt: m.now,
	})
}

// end ends an execution.
func (m *model) end(e *jobs.Execution, s jobs.Status) {
	e.Status, e.Version, e.UpdatedAt = s, e.Version+1, m.now
	e.Deadline, e.StepDeadline = time.Time{}, time.Time{}
}

// execute ends an execution as its device reported, or by a time-out.
func (m *model) execute(j *modelJob, e *jobs.Execution, s jobs.Status) {
	m.end(e, s)
	if e.Retry > 0 {
		j.trying--
	}
}

// fail ends an execution as failed or timed out, and retries it if the job's configuration says so.
func (m *model) fail(j *modelJob, thing string, s jobs.Status) {
	e := j.latest(thing)
	m.execute(j, e, s)
	if j.Retry == nil || !j.running() || (j.Ended && (j.Scheduling.EndBehavior == jobs.EndCancel || j.Scheduling.EndBehavior == jobs.EndForceCancel)) {
		return
	}
	for _, c := range j.Retry.CriteriaList {
		used := map[string]int{
			jobs.FailureAll: e.Retry, jobs.FailureTimedOut: e.RetryTimedOut, jobs.FailureFailed: e.Retry - e.RetryTimedOut,
		}[c.FailureType]
		if (c.FailureType == jobs.FailureAll || c.FailureType == s.String()) && int64(used) < c.NumberOfRetries {
			past := *e
			j.attempts[s]++
			j.trying++
			m.queue(j, thing)
			next := j.latest(thing)
			next.Retry, next.RetryTimedOut = past.Retry+1, past.RetryTimedOut
			if s == jobs.TimedOut {
				next.RetryTimedOut++
			}
			return
		}
	}
}

// tick does all due work. rolled queues up to n executions of a limited rollout, those that the service chose, and reports
// whether it did anything.
func (m *model) tick(rolled func(j *modelJob, n int) bool) {
	for _, j := range m.sorted() {
		for thing := range j.things {
			e := j.latest(thing)
			timed := func(t time.Time) bool { return !t.IsZero() && !t.After(m.now) }
			if e.Status == jobs.InProgress && (timed(e.Deadline) || timed(e.StepDeadline)) {
				m.fail(j, thing, jobs.TimedOut)
			}
		}
	}
	for _, j := range m.sorted() {
		for m.step(j, rolled) {
		}
	}
}

func (m *model) sorted() []*modelJob {
	return slices.SortedFunc(maps.Values(m.jobs), func(a, b *modelJob) int { return cmp.Compare(a.serial, b.serial) })
}

// cancel cancels queued executions, and with force those in progress, too.
func (m *model) cancel(j *modelJob, force bool) {
	for thing := range j.things {
		e := j.latest(thing)
		if e.Status == jobs.Queued || (force && e.Status == jobs.InProgress) {
			m.end(e, jobs.Canceled)
			e.Forced = force
		}
	}
}

func (m *model) stop(j *modelJob, force bool) {
	j.Status, j.ForceCanceled, j.CompletedAt, j.Stopped = jobs.JobCanceled, force, m.now, true
	m.cancel(j, force)
}

// step takes a job's next step; false if there is none.
func (m *model) step(j *modelJob, rolled func(j *modelJob, n int) bool) bool {
	if !j.running() {
		return false
	}
	c := j.counts()
	if m.aborts(j, &c) {
		m.stop(j, false)
		return true
	}
	begins, ends := m.schedule(j)
	if !j.Ended && !ends.IsZero() && !m.now.Before(ends) {
		j.Ended, j.Stopped, j.Status = true, true, jobs.JobInProgress
		switch j.Scheduling.EndBehavior {
		case jobs.EndCancel:
			m.cancel(j, false)
		case jobs.EndForceCancel:
			m.cancel(j, true)
		}
		return true
	}
	if c[jobs.Queued]+c[jobs.InProgress] == 0 && (j.done || j.Stopped) && (j.Selection == jobs.Snapshot || j.Ended) {
		j.Status, j.CompletedAt = jobs.JobCompleted, m.now
		return true
	}
	want := jobs.JobInProgress
	if !j.Ended && !m.isOpen(j, begins) {
		want = jobs.JobScheduled
	}
	if j.Status != want {
		j.Status = want
		return true
	}
	if want == jobs.JobScheduled || j.done || j.Stopped {
		return false
	}
	return m.rollOut(j, rolled)
}

func (m *model) aborts(j *modelJob, c *jobs.Counts) bool {
	if j.Abort == nil {
		return false
	}
	things := c[jobs.Succeeded] + c[jobs.Failed] + c[jobs.TimedOut] + c[jobs.Rejected] + j.trying
	ended := *c
	ended[jobs.Failed] += j.attempts[jobs.Failed]
	ended[jobs.TimedOut] += j.attempts[jobs.TimedOut]
	c = &ended // each attempt counts
	executed := c[jobs.Succeeded] + c[jobs.Failed] + c[jobs.TimedOut] + c[jobs.Rejected]
	for _, rule := range j.Abort.CriteriaList {
		bad := map[string]int64{
			jobs.FailureFailed: c[jobs.Failed], jobs.FailureTimedOut: c[jobs.TimedOut], jobs.FailureRejected: c[jobs.Rejected],
			jobs.FailureAll: c[jobs.Failed] + c[jobs.TimedOut] + c[jobs.Rejected],
		}[rule.FailureType]
		if bad > 0 && things >= rule.MinNumberOfExecutedThings && float64(bad)/float64(executed) >= rule.ThresholdPercentage/100-1e-9 {
			return true
		}
	}
	return false
}
