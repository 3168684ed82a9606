package postgres_test

import (
	"context"
	"os"
	"strconv"
	"testing"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/enginetest"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/storetest"
	"jobgate/gateway/jobs/storetest/model"
)

// migrated returns the URL of a new database with the schema.
func migrated(tb testing.TB) string {
	tb.Helper()
	return pgtest.Prepared(tb, func(url string) error {
		e, err := postgres.Open(context.Background(), postgres.Options{URL: url})
		if err == nil {
			err = e.Close()
		}
		return err
	})
}

// database is the rules over a new database for each test, which any number of handles may open.
var database = storetest.Engine{Shared: true, New: func(tb testing.TB) storetest.Opener {
	url := migrated(tb)
	return func() (jobs.Store, error) {
		e, err := postgres.Open(tb.Context(), postgres.Options{URL: url, Connections: 6})
		if err != nil {
			return nil, err
		}
		return rules.Over(e), nil
	}
}}

// TestEngine runs the suite of engines.
func TestEngine(t *testing.T) {
	enginetest.Run(t, func(tb testing.TB) enginetest.Open {
		url := migrated(tb)
		return func() (engine.Engine, error) {
			return postgres.Open(tb.Context(), postgres.Options{URL: url, Connections: 6})
		}
	})
}

func TestStore(t *testing.T)   { storetest.Run(t, database) }
func TestHandles(t *testing.T) { storetest.Handles(t, database) }

// often returns how often to repeat a test: the number in the environment variable, or else few.
func often(variable string, few int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return few
}

// TestModel compares the service with a model. JOBS_MODEL says how many operations.
func TestModel(t *testing.T) {
	n := often("JOBS_MODEL", 1000)
	model.Run(t, database, model.Options{Seed: 1, Operations: n / 2})
	model.Run(t, database, model.Options{Seed: 3, Operations: n / 2, Chunk: 2})
}

// TestStorm runs all operations concurrently. JOBS_STORMS says how often.
func TestStorm(t *testing.T) {
	for i := range often("JOBS_STORMS", 1) {
		storetest.Storm(t, database, storetest.StormOptions{Seed: uint64(i), Operations: 200})
		if t.Failed() {
			t.Fatalf("in storm %d", i)
		}
	}
}

func TestRetryMany(t *testing.T) { storetest.RetryMany(t, database) }
