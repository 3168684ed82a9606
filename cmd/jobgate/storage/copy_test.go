package storage_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"jobgate/cmd/jobgate/storage"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
	"jobgate/gateway/jobs/sqlite"
)

// store runs jobgate store.
func store(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	cmd := storage.Command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetOut(&b)
	cmd.SetErr(&b)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return b.String(), err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func copyOK(t *testing.T, from, to string) {
	t.Helper()
	if out, err := store(t, "copy", "--from", from, "--to", to); err != nil || !strings.Contains(out, "accepts no more changes") {
		t.Fatalf("copy from %s to %s: %v\n%s", from, to, err, out)
	}
}

// refused checks that a copy fails with want, before it fences anything.
func refused(t *testing.T, from, to, want string) {
	t.Helper()
	out, err := store(t, "copy", "--from", from, "--to", to)
	if err == nil || !strings.Contains(err.Error(), want) || out != "" {
		t.Errorf("copy from %s to %s: %v, want %q; printed %q", from, to, err, want, out)
	}
}

// use opens the file or database at, and closes it after f.
func use(t *testing.T, at string, f func(e engine.Copier)) {
	t.Helper()
	var e engine.Copier
	var err error
	if strings.Contains(at, "://") {
		e, err = postgres.Open(t.Context(), postgres.Options{URL: at})
	} else {
		e, err = sqlite.Open(t.Context(), sqlite.Options{Path: at, NoSync: true})
	}
	must(t, err)
	f(e)
	must(t, e.Close())
}

// fill adds a thing to a store.
func fill(t *testing.T, at, thing string) string {
	t.Helper()
	use(t, at, func(e engine.Copier) {
		must(t, e.Update(t.Context(), engine.Work{Rows: 1}, func(tx engine.Tx) error { return tx.PutThings([]engine.Thing{{Name: thing}}) }))
	})
	return at
}

func newFile(t *testing.T) string { return filepath.Join(t.TempDir(), "jobs.db") }

// checkFenced checks whether a store has a fence and, if it is a database, takes no changes.
func checkFenced(t *testing.T, at string, want bool) {
	t.Helper()
	use(t, at, func(e engine.Copier) {
		got, err := e.Fenced(t.Context())
		if err != nil || got != want {
			t.Errorf("%s: fenced is %t, %v, want %t", at, got, err, want)
		}
		if _, file := e.(*sqlite.Store); file {
			return
		}
		err = e.Update(t.Context(), engine.Work{Rows: 1}, func(tx engine.Tx) error {
			return tx.PutValues([]engine.Value{{Space: "test", Key: "k", Value: []byte("v")}})
		})
		if errors.Is(err, engine.ErrUnavailable) != want {
			t.Errorf("%s: a change: %v, fenced should be %t", at, err, want)
		}
	})
}

// onEach runs a test with a file and with a database.
func onEach(t *testing.T, test func(t *testing.T, create func(t *testing.T) string)) {
	t.Run("file", func(t *testing.T) { test(t, newFile) })
	t.Run("database", func(t *testing.T) { test(t, func(t *testing.T) string { return pgtest.New(t) }) })
}

// TestCopyAgain: repeating a copy that was completed leaves its source fenced.
func TestCopyAgain(t *testing.T) {
	onEach(t, func(t *testing.T, create func(t *testing.T) string) {
		from, to := fill(t, create(t), "a"), newFile(t)
		copyOK(t, from, to)
		refused(t, from, to, "not empty: it has things")
		checkFenced(t, from, true)
		checkFenced(t, to, false)
		refused(t, to, from, "not empty: it has things") // back into the fenced source
		checkFenced(t, from, true)
		checkFenced(t, to, false)
		if out, err := store(t, "unfence", "--store", from); err != nil {
			t.Errorf("unfence: %v\n%s", err, out)
		}
		checkFenced(t, from, false)
	})
}

// TestCopyOntoRows: a copy into a store that has rows neither fences its source nor ends a session.
func TestCopyOntoRows(t *testing.T) {
	onEach(t, func(t *testing.T, create func(t *testing.T) string) {
		from, to := fill(t, create(t), "a"), fill(t, newFile(t), "b")
		ping := func() error { return nil }
		if strings.Contains(from, "://") {
			session, err := pgx.Connect(t.Context(), from)
			must(t, err)
			defer func() { _ = session.Close(context.Background()) }()
			ping = func() error { return session.Ping(t.Context()) }
		}
		refused(t, from, to, "not empty: it has things")
		must(t, ping())
		checkFenced(t, from, false)
		// The target holds a part of another copy.
		to = newFile(t)
		halt(t, fill(t, newFile(t), "c"), to, "another")
		refused(t, from, to, "part of another")
		must(t, ping())
		checkFenced(t, from, false)
	})
}

// halting is an engine whose second import fails.
type halting struct {
	engine.Copier
	imports int
}

func (h *halting) Import(ctx context.Context, t *engine.Table, rows [][]any, mark []engine.Value) error {
	if h.imports++; h.imports > 1 {
		return errors.New("halted")
	}
	return h.Copier.Import(ctx, t, rows, mark)
}

// halt copies a part of a store, under the name of its source.
func halt(t *testing.T, from, to, name string) {
	t.Helper()
	use(t, from, func(source engine.Copier) {
		use(t, to, func(target engine.Copier) {
			must(t, source.Fence(t.Context(), true))
			if err := engine.Copy(t.Context(), source, &halting{Copier: target}, name, nil); err == nil || !strings.Contains(err.Error(), "halted") {
				t.Fatalf("a copy that is halted: %v", err)
			}
		})
	})
}

// TestCopyResumes: the same command completes a copy that was interrupted.
func TestCopyResumes(t *testing.T) {
	onEach(t, func(t *testing.T, create func(t *testing.T) string) {
		from, to := fill(t, create(t), "a"), newFile(t)
		halt(t, from, to, from)
		copyOK(t, from, to)
		checkFenced(t, from, true)
		if out, err := store(t, "check", "--store", to); err != nil || !strings.Contains(out, "things     1\n") {
			t.Errorf("check: %v\n%s", err, out)
		}
	})
}

// TestCopySameFile: a file is not copied to itself, under any of its names.
func TestCopySameFile(t *testing.T) {
	file := fill(t, newFile(t), "a")
	link, hard := newFile(t), newFile(t)
	must(t, os.Symlink(file, link))
	must(t, os.Link(file, hard))
	for _, to := range []string{file, filepath.Dir(file) + "/./jobs.db", link, hard} {
		refused(t, file, to, "cannot copy a store to itself")
		refused(t, to, file, "cannot copy a store to itself")
	}
	must(t, os.Remove(hard))
	checkFenced(t, file, false)
}

// TestCopySameDatabase: a database is not copied to itself under another address, or to another schema of itself, which the
// fence would close too. No session ends.
func TestCopySameDatabase(t *testing.T) {
	url := pgtest.New(t)
	use(t, url, func(engine.Copier) {}) // empty: no row gives the target away
	session, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { _ = session.Close(context.Background()) }()
	_, err = session.Exec(t.Context(), "CREATE SCHEMA other")
	must(t, err)
	for _, to := range []string{
		url, strings.Replace(url, "127.0.0.1", "localhost", 1), strings.Replace(url, "postgres://", "postgresql://", 1) + "&application_name=x", url + "&search_path=other",
	} {
		refused(t, url, to, "cannot copy a store to itself")
	}
	must(t, session.Ping(t.Context()))
	checkFenced(t, url, false)
	copyOK(t, url, pgtest.New(t)) // to another database of the same server
}

// TestCopyAfterUnfence: a copy does not resume once its source may have changed.
func TestCopyAfterUnfence(t *testing.T) {
	onEach(t, func(t *testing.T, create func(t *testing.T) string) {
		from, to := fill(t, create(t), "a"), newFile(t)
		halt(t, from, to, from)
		if out, err := store(t, "unfence", "--store", from); err != nil {
			t.Fatalf("unfence: %v\n%s", err, out)
		}
		fill(t, from, "b")
		refused(t, from, to, "may have changed since its fence was lifted")
		checkFenced(t, from, false)
		copyOK(t, from, newFile(t))
	})
}
