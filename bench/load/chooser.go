package load

import (
	"math/rand/v2"
	"time"
)

// chooser draws what an arrival is: flow, thing and job.
type chooser struct {
	flows  []compiledFlow
	rng    *rand.Rand
	things *picker
	jobs   *picker
}

func newChooser(r *run, part, parts int) *chooser {
	return &chooser{
		flows: r.flows, rng: rand.New(rand.NewPCG(r.plan.Seed, uint64(part)+0x666c6f77)),
		things: newPicker(r.plan.Things, r.plan.Seed, part, parts),
		jobs:   newPicker(r.plan.Jobs, r.plan.Seed+1, part, parts),
	}
}

func (c *chooser) arrival(due time.Duration) arrival {
	a := arrival{due: due, thing: c.things.pick(), job: c.jobs.pick()}
	if len(c.flows) > 1 {
		x := c.rng.Float64()
		for x >= c.flows[a.flow].until {
			a.flow++
		}
	}
	return a
}
