package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/enginetest"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
	"jobgate/gateway/jobs/storetest"
)

// overSQLite is SQLite for the suites. It does not sync, because they do not test power failures.
var overSQLite = storetest.Engine{New: func(t testing.TB) storetest.Opener {
	path := filepath.Join(t.TempDir(), "jobs.db")
	return func() (jobs.Store, error) {
		return openStore(sqlite.Options{Path: path, NoSync: true})
	}
}}

// openStore opens a store: the rules over this engine.
func openStore(o sqlite.Options) (jobs.Store, error) {
	e, err := sqlite.Open(context.Background(), o)
	if err != nil {
		return nil, err
	}
	return rules.Over(e), nil
}

func TestStore(t *testing.T) { storetest.Run(t, overSQLite) }

// TestHandles runs the suite's test of two handles of a shared store. This engine does not share its file, so both handles
// are the same store. The test is for engines that do.
func TestHandles(t *testing.T) {
	shared := storetest.Engine{Shared: true, New: func(t testing.TB) storetest.Opener {
		store, err := overSQLite.New(t)()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return func() (jobs.Store, error) { return named{store}, nil }
	}}
	storetest.Handles(t, shared)
}

// named is a handle that does not close the store.
type named struct{ jobs.Store }

func (named) Close() error { return nil }

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(t testing.TB) enginetest.Open {
		path := filepath.Join(t.TempDir(), "jobs.db")
		return func() (engine.Engine, error) {
			return sqlite.Open(context.Background(), sqlite.Options{Path: path, NoSync: true})
		}
	})
}

func TestRetryMany(t *testing.T) { storetest.RetryMany(t, overSQLite) }
