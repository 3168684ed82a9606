package sqlite_test

import (
	"os"
	"strconv"
	"testing"

	"jobgate/gateway/jobs/storetest"
)

// TestStorm runs the suite's storm of concurrent changes over this engine. JOBS_STORMS sets the number of storms.
func TestStorm(t *testing.T) {
	storms := 3
	if n, err := strconv.Atoi(os.Getenv("JOBS_STORMS")); err == nil {
		storms = n
	} else if testing.Short() || underRace {
		storms = 1
	}
	for i := range storms {
		storetest.Storm(t, overSQLite, storetest.StormOptions{Seed: uint64(i), Operations: 300})
		if t.Failed() {
			t.Fatalf("in storm %d", i)
		}
	}
}
