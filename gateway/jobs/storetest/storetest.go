// Package storetest is the suite for the rules over an engine (jobs.Store), and storms that run the whole service over it;
// package model compares the service with a model. Package enginetest tests an engine by itself.
//
//	Engine ──► Run         each method of the interface, one by one
//	      ├──► Storm       operators and devices do random operations concurrently
//	      └──► model.Run   random operations, compared with a model
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/enginetest/check"
)

// Engine creates stores for the suite.
type Engine struct {
	// New creates an empty store and returns its opener. Each call of that opens another handle on the store. The suite
	// closes the handles.
	New func(t testing.TB) Opener
	// Shared says that a store may have several open handles. If not, opening a second one fails with
	// jobs.ErrStoreInUse.
	Shared bool
}

// Opener opens a handle on a store.
type Opener func() (jobs.Store, error)

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for name, test := range map[string]func(*suite){
		"Things": testThings, "ThingFilters": testThingFilters, "DeleteThing": testDeleteThing,
		"Groups": testGroups, "GroupTree": testGroupTree, "Members": testMembers, "DeleteGroup": testDeleteGroup,
		"Limits": testLimits, "Bounds": testBounds, "DeleteGroupRollout": testDeleteGroupRollout, "DeleteGroupJoin": testDeleteGroupJoin,
		"Jobs": testJobs, "JobTargets": testJobTargets, "SwapJob": testSwapJob, "ListJobs": testListJobs,
		"Rollout": testRollout, "RolloutSnapshot": testRolloutSnapshot, "RolloutFamily": testRolloutFamily,
		"RolloutDone": testRolloutDone, "RolloutResumes": testRolloutResumes, "AddTargets": testAddTargets,
		"Join": testJoin, "Leave": testLeave, "Rejoin": testRejoin, "Move": testMove,
		"Swap": testSwap, "SwapMany": testSwapMany, "SwapRetry": testSwapRetry, "SwapRace": testSwapRace,
		"Namesakes": testNamesakes,
		"Pending":   testPending, "ListExecutions": testListExecutions, "DeleteExecution": testDeleteExecution,
		"Failures": testFailures, "Samples": testSamples,
		"RetryJob": testRetryJob, "RetryJobResumes": testRetryJobResumes, "RetryJobOver": testRetryJobOver,
		"Due": testDue, "Sweep": testSweep, "SweepDelete": testSweepDelete, "SweepResumes": testSweepResumes,
		"Templates": testTemplates, "Tags": testTags, "Secrets": testSecrets, "Cursors": testCursors,
		"Reopen": testReopen, "Handles": testHandles, "Closed": testClosed, "Canceled": testCanceled,
	} {
		t.Run(name, func(t *testing.T) { test(newSuite(t, e)) })
	}
}

// start is the time at which every test begins.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// suite is one test with its store. Its helpers end the test on an error.
type suite struct {
	check.Test
	jobs.Store
	engine Engine
	open   Opener
	now    time.Time
}

var bg = context.Background()

// newSuite returns a test with an empty store and a handle on it.
func newSuite(t *testing.T, e Engine) *suite {
	t.Helper()
	s := &suite{Test: check.Test{T: t}, engine: e, open: e.New(t), now: start}
	s.Store = s.handle()
	return s
}

func (s *suite) handle() jobs.Store {
	s.Helper()
	return check.Open(&s.Test, s.open)
}

// reopen closes the store and opens it again.
func (s *suite) reopen() {
	s.Helper()
	s.OK(s.Store.Close())
	s.Store = s.handle()
}

// same ends the test unless both values print the same.
func (s *suite) same(what string, got, want any) {
	s.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		s.Fatalf("%s\n got %s\nwant %s", what, g, w)
	}
}

// later advances the clock.
func (s *suite) later(d time.Duration) time.Time {
	s.now = s.now.Add(d)
	return s.now
}

// things registers things.
func (s *suite) things(names ...string) {
	s.Helper()
	list := make([]jobs.Thing, len(names))
	for i, n := range names {
		list[i] = jobs.Thing{Name: n, ID: "id-" + n, Version: 1, CreatedAt: s.now}
	}
	s.OK(s.CreateThings(bg, list))
}

// group creates a group with members under a parent.
func (s *suite) group(name, parent string, members ...string) {
	s.Helper()
	s.OK(s.CreateGroup(bg, jobs.Group{Name: name, ID: "id-" + name, Parent: parent, Version: 1, CreatedAt: s.now}, nil))
	if len(members) > 0 {
		s.join(name, members...)
	}
}

func (s *suite) join(group string, members ...string) jobs.MemberResult {
	s.Helper()
	r, err := s.ChangeMembers(bg, jobs.MemberChange{Things: members, Add: []string{group}, Now: s.now})
	s.OK(err)
	return r
}

func (s *suite) leave(group string, members ...string) jobs.MemberResult {
	s.Helper()
	r, err := s.ChangeMembers(bg, jobs.MemberChange{Things: members, Remove: []string{group}, Now: s.now})
	s.OK(err)
	return r
}

// thing and groupOf are targets.
func thing(name string) jobs.Target   { return jobs.Target{Name: name} }
func groupOf(name string) jobs.Target { return jobs.Target{Group: true, Name: name} }

// job creates a job that is in progress.
func (s *suite) job(id string, selection jobs.Selection, targets ...jobs.Target) *jobs.Job {
	s.Helper()
	j, err := s.CreateJob(bg, jobs.NewJob{Document: `{"for":"` + id + `"}`, Job: jobs.Job{
		ID: id, Version: 1, Status: jobs.JobInProgress, Selection: selection, Targets: targets,
		CreatedAt: s.now, UpdatedAt: s.now,
	}})
	s.OK(err)
	return j
}

// roll rolls a job out completely, in chunks.
func (s *suite) roll(id string, limit int) (things []string) {
	s.Helper()
	for range 1000 {
		r, err := s.QueueChunk(bg, s.chunk(id, limit))
		s.OK(err)
		if r.Queued > limit {
			s.Fatalf("a chunk of %d queued %d", limit, r.Queued)
		}
		things = append(things, r.Things...)
		if r.Progress.Done {
			return things
		}
	}
	s.Fatalf("the rollout of %s does not end", id)
	return nil
}

func (s *suite) chunk(id string, limit int) jobs.QueueChunk {
	s.Helper()
	return jobs.QueueChunk{JobID: id, After: s.progress(id).Chunks, Limit: limit, Pace: s.now, Now: s.now, Names: true}
}

func (s *suite) progress(id string) jobs.Progress {
	s.Helper()
	p, err := s.Progress(bg, id)
	s.OK(err)
	return p
}

// swapTo changes a job.
func (s *suite) swapTo(id string, edit func(*jobs.Job)) *jobs.Job {
	s.Helper()
	j, err := s.Job(bg, id)
	s.OK(err)
	next := *j
	edit(&next)
	next.Version++
	j, err = s.SwapJob(bg, next)
	s.OK(err)
	return j
}

// execution reads a thing's latest execution of a job.
func (s *suite) execution(thing, job string) jobs.Execution {
	s.Helper()
	e, err := s.Execution(bg, thing, job, 0)
	s.OK(err)
	return e
}

// becomes swaps an execution to a status.
func (s *suite) becomes(thing, job string, status jobs.Status) {
	s.Helper()
	e := s.execution(thing, job)
	next := e
	next.Status, next.Version, next.UpdatedAt = status, e.Version+1, s.now
	if status == jobs.InProgress {
		next.StartedAt = s.now
	}
	swaps := []jobs.Swap{{Old: e, New: next}}
	s.OK(s.Swap(bg, swaps))
	if !swaps[0].Applied {
		s.Fatalf("execution of %s on %s was not swapped", job, thing)
	}
}

// counts checks the counts of job "j".
func (s *suite) counts(want jobs.Counts) {
	s.Helper()
	s.same("counts of j", s.progress("j").Counts, want)
}

// pending prints a thing's pending executions.
func (s *suite) pending(thing string) (list []string) {
	s.Helper()
	pending, err := s.Pending(bg, nil, thing)
	s.OK(err)
	for _, e := range pending {
		list = append(list, fmt.Sprintf("%s#%d %s v%d", e.Job.ID, e.Number, e.Status, e.Version))
	}
	return list
}

// State prints the fields of an execution that tests compare.
func State(e *jobs.Execution) string {
	return fmt.Sprintf("#%d v%d %s retry %d/%d %v %s queued %v started %v updated %v due %v %v", e.Number, e.Version, e.Status,
		e.Retry, e.RetryTimedOut, e.Forced, e.Details, e.QueuedAt, e.StartedAt, e.UpdatedAt, e.Deadline, e.StepDeadline)
}
