package load

import (
	"math/rand/v2"
	"time"

	"jobgate/bench/load/plan"
)

// chooser draws an arrival's flow, thing and job at random.
type chooser struct {
	flows  []plan.CompiledFlow
	rng    *rand.Rand
	things *plan.Picker
	jobs   *plan.Picker
}

func newChooser(r *run, part, parts int) *chooser {
	return &chooser{
		flows: r.flows, rng: rand.New(rand.NewPCG(r.plan.Seed, uint64(part)+0x666c6f77)),
		things: plan.NewPicker(r.plan.Things, r.plan.Seed, part, parts),
		jobs:   plan.NewPicker(r.plan.Jobs, r.plan.Seed+1, part, parts),
	}
}

func (c *chooser) arrival(due time.Duration) arrival {
	a := arrival{due: due, thing: c.things.Pick(), job: c.jobs.Pick()}
	if len(c.flows) > 1 {
		x := c.rng.Float64()
		for x >= c.flows[a.flow].Until {
			a.flow++
		}
	}
	return a
}
