package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// TestRolledBack makes SQLite roll back a group's transaction halfway, as it may when the disk is full or broken. Every change
// of the group must fail, and the counts of the changes before the rollback must not be written.
func TestRolledBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := open(t, path)
	if err := s.CreateThings(bg, things("a", 2)); err != nil {
		t.Fatal(err)
	}
	targets := []jobs.Target{{Name: "a00000"}, {Name: "a00001"}}
	j := jobs.Job{ID: "j", Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot, Targets: targets, CreatedAt: time.Now()}
	if _, err := s.CreateJob(bg, jobs.NewJob{Job: j}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.QueueChunk(bg, jobs.QueueChunk{JobID: "j", Limit: 9, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	err := s.write(func(x *tx) error {
		return query(x.conn, `CREATE TEMP TRIGGER boom BEFORE UPDATE ON main.executions WHEN NEW.details = 'boom'
			BEGIN SELECT RAISE(ROLLBACK, 'boom'); END`, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	swap := func(thing, details string) []jobs.Swap {
		e, err := s.Execution(bg, thing, "j", 0)
		if err != nil {
			t.Fatal(err)
		}
		next := e
		next.Status, next.Version, next.Details = jobs.Succeeded, e.Version+1, jobs.StatusDetails(details)
		return []jobs.Swap{{Old: e, New: next}}
	}
	good, bad := swap("a00000", ""), swap("a00001", "boom")

	// The first change keeps the writer busy, so the other two join its group. On a busy machine, the first may take so long
	// that it is committed without them (late).
	first, results := make(chan error, 1), make(chan error, 2)
	busy, begun := make(chan struct{}), make(chan time.Time, 1)
	go func() { first <- s.write(func(*tx) error { begun <- time.Now(); <-busy; return nil }) }()
	since := <-begun
	go func() { results <- s.Swap(bg, good) }()
	for len(s.engine.queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	go func() { results <- s.Swap(bg, bad) }()
	for len(s.engine.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	late := time.Since(since) > maxGroupTime/2
	close(busy)
	if err := <-first; err == nil && !late {
		t.Error("the first change succeeds, although the transaction was rolled back")
	}
	for range 2 {
		if err := <-results; err == nil {
			t.Error("a change succeeds, although the transaction was rolled back")
		}
	}
	if good[0].Applied || bad[0].Applied {
		t.Error("a swap that was rolled back is reported as applied")
	}
	want := jobs.Counts{jobs.Queued: 2}
	for range 2 { // from memory, then from the file
		p, err := s.Progress(bg, "j")
		if totals, _ := s.Totals(bg); err != nil || p.Counts != want || totals != want {
			t.Errorf("counts %v, totals %v, %v; want two QUEUED", p.Counts, totals, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path)
	}
	if swaps := swap("a00000", ""); s.Swap(bg, swaps) != nil || !swaps[0].Applied {
		t.Error("the store refuses changes after a rollback")
	}
}

// TestDeletedThingIsPurged deletes the last execution that refers to a deleted thing. The thing's row must be deleted too.
func TestDeletedThingIsPurged(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	group := jobs.Group{Name: "g", ID: "g", Version: 1}
	if err := errors.Join(s.CreateThings(bg, things("a", 1)), s.CreateGroup(bg, group, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ChangeMembers(bg, jobs.MemberChange{Things: []string{"a00000"}, Add: []string{"g"}, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	j := jobs.Job{
		ID: "j", Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot,
		Targets: []jobs.Target{{Group: true, Name: "g"}}, CreatedAt: time.Now(),
	}
	if _, err := s.CreateJob(bg, jobs.NewJob{Job: j}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.QueueChunk(bg, jobs.QueueChunk{JobID: "j", Limit: 9, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	rows := func() (n int64) {
		t.Helper()
		err := s.engine.read(bg, func(c *sqlite.Conn) (err error) {
			n, _, err = value(c, "SELECT count(*) FROM things")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	removed, err := s.DeleteThing(bg, "a00000", 0, time.Now())
	if err != nil || len(removed) != 1 || rows() != 1 {
		t.Fatalf("%+v, %v, %d rows", removed, err, rows())
	}
	if err := s.DeleteExecution(bg, removed[0]); err != nil || rows() != 0 {
		t.Errorf("%v, %d rows", err, rows())
	}
}
