package sqlite_test

import (
	"os"
	"strconv"
	"testing"

	"jobgate/gateway/jobs/storetest/model"
)

// TestModel compares the service over this engine with a model. JOBS_MODEL sets the number of operations: 100000 in the
// project's CI.
func TestModel(t *testing.T) {
	operations := 3000
	if testing.Short() || underRace {
		operations = 1000
	}
	if n, err := strconv.Atoi(os.Getenv("JOBS_MODEL")); err == nil {
		operations = n
	}
	model.Run(t, overSQLite, model.Options{Seed: 1, Operations: operations / 2})
	model.Run(t, overSQLite, model.Options{Seed: 2, Operations: operations / 4})
	model.Run(t, overSQLite, model.Options{Seed: 3, Operations: operations / 4, Chunk: 2})
}
