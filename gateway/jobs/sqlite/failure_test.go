package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/rules"
)

var bg = context.Background()

// store is the rules over an engine.
type store struct {
	*rules.Store
	engine *Store
	spy    *spy
}

// spy is the engine with a hook: after, if not nil, runs at the end of each transaction, inside it.
type spy struct {
	*Store
	after func(*tx) error
}

func (s *spy) Update(ctx context.Context, w engine.Work, change func(engine.Tx) error) error {
	if s.after == nil {
		return s.Store.Update(ctx, w, change)
	}
	return s.change(ctx, s.queue, nil, func(t *tx) error {
		if err := change(t); err != nil {
			return err
		}
		return s.after(t)
	})
}

func open(t *testing.T, path string) store {
	t.Helper()
	e, err := Open(bg, Options{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	watched := &spy{Store: e}
	return store{Store: rules.Over(watched), engine: e, spy: watched}
}

// write changes the database directly.
func (s store) write(do func(*tx) error) error { return s.engine.change(bg, s.engine.queue, nil, do) }

func things(prefix string, n int) []jobs.Thing {
	list := make([]jobs.Thing, n)
	for i := range list {
		list[i] = jobs.Thing{Name: fmt.Sprintf("%s%05d", prefix, i), ID: strings.Repeat("x", 100), Version: 1}
	}
	return list
}

// TestDiskFull fills the disk in the middle of a group. The changes of the group must fail and leave nothing behind, and the
// store must work again when there is space.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	s := open(t, path)
	limit := func(pages int) {
		t.Helper()
		if err := s.write(func(x *tx) error { return query(x.conn, fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateThings(bg, things("a", 10)); err != nil {
		t.Fatal(err)
	}
	j := jobs.Job{ID: "j", Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot, Targets: []jobs.Target{{Name: "a00000"}}, CreatedAt: time.Now()}
	if _, err := s.CreateJob(bg, jobs.NewJob{Job: j}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.QueueChunk(bg, jobs.QueueChunk{JobID: "j", Limit: 9, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	limit(60)
	err := s.CreateThings(bg, things("b", 5000))
	if sqlite.ErrCode(err).ToPrimary() != sqlite.ResultFull {
		t.Fatalf("on a full disk: %v", err)
	}
	if fault := (*jobs.Error)(nil); !errors.As(err, &fault) || !errors.Is(err, jobs.ErrUnavailable) {
		t.Errorf("on a full disk a client gets %v", err)
	}
	if _, err := s.Pending(bg, nil, "b00000"); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("a thing that was not stored: %v", err)
	}
	e, err := s.Execution(bg, "a00000", "j", 0)
	if err != nil {
		t.Fatal(err)
	}
	next := e
	next.Status, next.Version = jobs.Succeeded, 2
	swaps := []jobs.Swap{{Old: e, New: next}}
	if err := s.Swap(bg, swaps); err != nil || !swaps[0].Applied { // a change that needs no space works
		t.Errorf("%v, %v", swaps[0].Applied, err)
	}
	limit(1 << 20)
	if err := s.CreateThings(bg, things("b", 5000)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if list, err := s.Pending(bg, nil, "b04999"); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if p, err := s.Progress(bg, "j"); err != nil || p.Counts != (jobs.Counts{jobs.Succeeded: 1}) {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestOneFails makes some changes of a group fail. The others must succeed.
func TestOneFails(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	results := make(chan error, 30)
	for i := range 30 {
		go func() {
			list := things(fmt.Sprint("g", i), 2)
			if i%3 == 0 {
				list = append(list, list[0])
			}
			results <- s.CreateThings(bg, list)
		}()
	}
	failed := 0
	for range 30 {
		if err := <-results; errors.Is(err, jobs.ErrAlreadyExists) {
			failed++
		} else if err != nil {
			t.Error(err)
		}
	}
	if failed != 10 {
		t.Errorf("%d failed, want 10", failed)
	}
	for i := range 30 {
		_, err := s.Pending(bg, nil, fmt.Sprintf("g%d00001", i))
		if want := i%3 == 0; errors.Is(err, jobs.ErrNotFound) != want {
			t.Errorf("things of change %d: %v", i, err)
		}
	}
}

// oneJob creates job j for thing a00000.
func (s store) oneJob(t *testing.T) jobs.Job {
	t.Helper()
	if err := s.CreateThings(bg, things("a", 1)); err != nil {
		t.Fatal(err)
	}
	j := jobs.Job{ID: "j", Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot, Targets: []jobs.Target{{Name: "a00000"}}, CreatedAt: time.Now()}
	if _, err := s.CreateJob(bg, jobs.NewJob{Job: j}); err != nil {
		t.Fatal(err)
	}
	return j
}

// TestFailureLeavesNothing makes a change fail after it has counted, staged and written. Nothing of it may remain.
func TestFailureLeavesNothing(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jobs.db"))
	s.oneJob(t)
	failed := errors.New("at the end")
	s.spy.after = func(*tx) error { return failed }
	_, err := s.QueueChunk(bg, jobs.QueueChunk{JobID: "j", Limit: 1, Now: time.Now()})
	s.spy.after = nil
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	p, err := s.Progress(bg, "j")
	if err != nil || p != (jobs.Progress{}) {
		t.Errorf("%+v, %v", p, err)
	}
	if totals, err := s.Totals(bg); err != nil || totals != (jobs.Counts{}) {
		t.Errorf("%v, %v", totals, err)
	}
	if list, err := s.Pending(bg, nil, "a00000"); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := s.Execution(bg, "a00000", "j", 0); !errors.Is(err, jobs.ErrNotFound) {
		t.Error(err)
	}
}

func TestOpenRefused(t *testing.T) {
	dir := t.TempDir()
	f := func(name, script string, want string, kind error) {
		t.Helper()
		path := filepath.Join(dir, name)
		c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(sqlitex.ExecuteScript(c, script, nil), c.Close()); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(bg, Options{Path: path})
		if after, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(after, before) {
			t.Errorf("%s: the file was changed (%v)", name, readErr)
		}
		if err == nil || !strings.Contains(err.Error(), want) || (kind != nil && !errors.Is(err, kind)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	f("newer", "PRAGMA application_id = 1784833908; PRAGMA user_version = 99", "version 99, this program knows 6", jobs.ErrStoreNewer)
	f("no application id", "CREATE TABLE t (x)", "another program", nil)
	f("another application id", "PRAGMA application_id = 7", "another program", nil)
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"": "no path", filepath.Join(dir, "text"): "not a database", filepath.Join(dir, "none", "x.db"): "no such file or directory"} {
		if _, err := Open(bg, Options{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
	// A store that is open cannot be opened again, by any path.
	s := open(t, filepath.Join(dir, "good"))
	if _, err := Open(bg, Options{Path: filepath.Join(dir, "good")}); !errors.Is(err, jobs.ErrStoreInUse) {
		t.Errorf("%v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "good"), link); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(bg, Options{Path: link}); !errors.Is(err, jobs.ErrStoreInUse) {
		t.Errorf("by a symbolic link: %v, want ErrStoreInUse", err)
	}
	if err := s.CreateThings(bg, things("a", 1)); err != nil {
		t.Fatal(err)
	}
	for _, ending := range []string{"", "-wal", "-shm", "-lock"} {
		if info, err := os.Stat(filepath.Join(dir, "good"+ending)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("good%s: %v %v, want a file for its owner only", ending, info.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := sqlite.OpenConn(filepath.Join(dir, "newer"), sqlite.OpenReadWrite); err != nil {
		t.Error(err)
	} else if err := errors.Join(sqlitex.ExecuteScript(c, "PRAGMA user_version = 0; PRAGMA application_id = 0", nil), c.Close()); err != nil {
		t.Error(err)
	}
	open(t, filepath.Join(dir, "newer"))
}
