package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/sqlite"
	"jobgate/gateway/jobs/storetest"
)

// engine is SQLite for the suites. It does not sync: they do not pull the plug.
var engine = storetest.Engine{New: func(t testing.TB) storetest.Opener {
	path := filepath.Join(t.TempDir(), "jobs.db")
	return func() (jobs.Store, error) {
		return sqlite.Open(context.Background(), sqlite.Options{Path: path, NoSync: true})
	}
}}

func TestStore(t *testing.T) { storetest.Run(t, engine) }
