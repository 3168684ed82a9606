package memory_test

import (
	"testing"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/enginetest"
	"jobgate/gateway/jobs/memory"
)

func TestEngine(t *testing.T) {
	f := func(name string, m memory.Faults) {
		t.Run(name, func(t *testing.T) {
			enginetest.Run(t, func(testing.TB) enginetest.Open {
				db := memory.New(m)
				return func() (engine.Engine, error) { return db.Open(), nil }
			})
		})
	}
	f("no faults", memory.Faults{})
	f("conflicts", memory.Faults{Seed: 1, Conflicts: 40})
}
