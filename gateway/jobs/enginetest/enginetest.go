// Package enginetest checks the laws of an engine (see package engine): rows, transactions, cursors, sums. A new engine
// starts with this suite. It does not test the rules of jobs; package storetest tests the rules over an engine.
package enginetest

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/enginetest/check"
)

// Open opens a handle on the test's store.
type Open func() (engine.Engine, error)

// Run checks the laws. fresh creates an empty store for one test, and returns a function that opens a handle on it. A store
// that is not shared has one handle at a time.
func Run(t *testing.T, fresh func(t testing.TB) Open) {
	for name, law := range map[string]func(*suite){
		"Things": testThings, "Groups": testGroups, "Members": testMembers, "Walk": testWalk,
		"Jobs": testJobs, "ListJobs": testListJobs, "Apply": testApply, "ApplyTogether": testApplyTogether,
		"Attempts": testAttempts, "Pending": testPending, "Listings": testListings, "Ended": testEnded, "Due": testDue,
		"Values": testValues, "Rollback": testRollback, "OwnWrites": testOwnWrites, "Serializable": testSerializable,
		"Snapshot": testSnapshot, "Durable": testDurable, "Closed": testClosed, "Handles": testHandles, "Leases": testLeases, "Feed": testFeed,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{Test: check.Test{T: t}, open: fresh(t)}
			s.Engine = s.handle()
			law(s)
		})
	}
}

var bg = context.Background()

// suite is one test and its engine. Its helpers end the test on an error.
type suite struct {
	check.Test
	engine.Engine
	open Open
}

func (s *suite) handle() engine.Engine {
	s.Helper()
	return check.Open(&s.Test, s.open)
}

func (s *suite) same(what string, got, want any) {
	s.Helper()
	if !reflect.DeepEqual(got, want) {
		s.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// update runs a transaction, which must succeed.
func (s *suite) update(change func(t engine.Tx)) {
	s.Helper()
	s.OK(s.Update(bg, engine.Work{Rows: 1}, func(t engine.Tx) error { return s.Inside(func() { change(t) }) }))
}

// view runs a transaction that reads.
func (s *suite) view(read func(r engine.Reader)) {
	s.Helper()
	s.OK(s.View(bg, func(r engine.Reader) error { return s.Inside(func() { read(r) }) }))
}

// things registers things and returns their IDs.
func (s *suite) things(names ...string) (ids []int64) {
	s.Helper()
	s.update(func(t engine.Tx) {
		rows := make([]engine.Thing, len(names))
		for i, name := range names {
			rows[i] = engine.Thing{Name: name, UUID: "uuid-" + name, Version: 1, Created: 1}
		}
		s.OK(t.PutThings(rows))
		ids = ids[:0]
		for i := range rows {
			ids = append(ids, rows[i].ID)
		}
	})
	return ids
}

// group creates a group with members and returns its ID.
func (s *suite) group(name string, parent int64, members ...int64) (id int64) {
	s.Helper()
	s.update(func(t engine.Tx) {
		rows := []engine.Group{{Name: name, UUID: "uuid-" + name, Parent: parent, Version: 1, Created: 1}}
		s.OK(t.PutGroups(rows))
		id = rows[0].ID
		_, err := t.MoveMembers(membersOf(id, members...), nil)
		s.OK(err)
	})
	return id
}

func membersOf(group int64, things ...int64) (list []engine.Member) {
	for _, id := range things {
		list = append(list, engine.Member{Group: group, Thing: id})
	}
	return list
}

// job creates a job and returns its Seq.
func (s *suite) job(id string, targets ...engine.Target) (seq int64) {
	s.Helper()
	s.update(func(t engine.Tx) {
		j := &engine.Job{ID: id, Version: 1, Status: 2, Selection: 1, Active: true, Created: 1, Record: `{"id":"` + id + `"}`}
		s.OK(t.InsertJob(j, targets))
		seq = j.Seq
	})
	return seq
}

// queued returns a change that queues an execution.
func queued(job, thing int64) engine.Change {
	return engine.Change{Key: engine.Key{Job: job, Thing: thing}, New: engine.Execution{Number: 1, Version: 1, Queued: 1, Updated: 1}}
}

// becomes returns a change of x to a status.
func becomes(x engine.Execution, status uint8) engine.Change {
	next := x
	next.Version, next.Status = x.Version+1, status
	return engine.Change{
		Key: engine.Key{Job: x.Job, Thing: x.Thing}, Number: x.Number, Version: x.Version, Status: x.Status, New: next,
	}
}

// queue queues executions of a job for things.
func (s *suite) queue(job int64, things ...int64) {
	s.Helper()
	s.update(func(t engine.Tx) {
		var changes []engine.Change
		for _, id := range things {
			changes = append(changes, queued(job, id))
		}
		s.OK(t.Apply(changes))
	})
}

// execution returns a thing's latest execution of a job.
func (s *suite) execution(thing, job string) engine.Execution {
	s.Helper()
	x, err := s.Execution(bg, thing, job)
	s.OK(err)
	return x
}

// apply applies one change, and reports whether it was made.
func (s *suite) apply(c engine.Change) bool {
	s.Helper()
	changes := []engine.Change{c}
	s.OK(s.Apply(bg, changes))
	return changes[0].Applied
}

// counts checks the counts of job "j".
func (s *suite) counts(want engine.Counts) {
	s.Helper()
	state, err := s.Job(bg, "j")
	s.OK(err)
	s.same("counts of j", state.Progress.Counts, want)
}

// names returns the names of rows, separated by spaces.
func names[R any](rows []R, name func(R) string) string {
	text := ""
	for i, row := range rows {
		if i > 0 {
			text += " "
		}
		text += name(row)
	}
	return text
}

// numbered returns n names of things: t000, t001, …
func numbered(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("t%03d", i))
	}
	return list
}
