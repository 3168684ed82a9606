package sqlite_test

import (
	"os"
	"strconv"
	"testing"

	"jobgate/gateway/jobs/storetest"
)

// TestModel compares the service over this engine with a model. JOBS_MODEL says how many operations: 100000 in the
// project's own checks.
func TestModel(t *testing.T) {
	operations := 10_000
	if testing.Short() || underRace {
		operations = 1000
	}
	if n, err := strconv.Atoi(os.Getenv("JOBS_MODEL")); err == nil {
		operations = n
	}
	storetest.Model(t, overSQLite, storetest.ModelOptions{Seed: 1, Operations: operations / 2})
	storetest.Model(t, overSQLite, storetest.ModelOptions{Seed: 2, Operations: operations / 4})
	storetest.Model(t, overSQLite, storetest.ModelOptions{Seed: 3, Operations: operations / 4, Chunk: 2})
}
