package rules_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/storetest"
	"jobgate/gateway/jobs/storetest/model"
)

// over returns the rules over a database in memory that injects faults.
func over(m memory.Faults) storetest.Engine {
	return storetest.Engine{Shared: true, New: func(testing.TB) storetest.Opener {
		db := memory.New(m)
		return func() (jobs.Store, error) { return rules.Over(db.Open()), nil }
	}}
}

// TestRules runs the store's suite over an engine without conflicts, and over one with them.
func TestRules(t *testing.T) {
	t.Run("no faults", func(t *testing.T) { storetest.Run(t, over(memory.Faults{})) })
	t.Run("conflicts", func(t *testing.T) { storetest.Run(t, over(memory.Faults{Seed: 1, Conflicts: 30})) })
}

// often returns how often to repeat a test: the number in the environment variable, or else few.
func often(variable string, few int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	if testing.Short() {
		return max(1, few/4)
	}
	return few
}

// TestModel compares the service with a model. JOBS_MODEL says how many operations.
func TestModel(t *testing.T) {
	operations := often("JOBS_MODEL", 4000)
	model.Run(t, over(memory.Faults{}), model.Options{Seed: 1, Operations: operations / 2})
	model.Run(t, over(memory.Faults{Seed: 2, Conflicts: 20}), model.Options{Seed: 2, Operations: operations / 4})
	model.Run(t, over(memory.Faults{}), model.Options{Seed: 3, Operations: operations / 4, Chunk: 2})
}

// TestStorm runs all operations concurrently: once without conflicts, and JOBS_STORMS times with them. Every other of those
// storms also loses answers and is slow.
func TestStorm(t *testing.T) {
	for i := range 1 + often("JOBS_STORMS", 2) {
		var m memory.Faults
		if i > 0 {
			m.Conflicts = 20
		}
		if i > 0 && i%2 == 0 {
			m.Lost, m.Delay = 5, 50*time.Microsecond
		}
		db := memory.New(memory.Faults{Seed: uint64(i)})
		engine := storetest.Engine{Shared: true, New: func(testing.TB) storetest.Opener {
			return func() (jobs.Store, error) { return rules.Over(db.Open()), nil }
		}}
		storetest.Storm(t, engine, storetest.StormOptions{Seed: uint64(i), Operations: 200, Faults: func(on bool) {
			if !on {
				m = memory.Faults{}
			}
			db.Set(m)
		}})
		if t.Failed() {
			t.Fatalf("in storm %d", i)
		}
	}
}
