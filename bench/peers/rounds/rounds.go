// Package rounds lets contestants take turns, and writes the medians of their figures and the ratios within each round.
//
//	[]*Contestant ─▶ Take: each once a round, in a changing order ─▶ []Turn ─▶ Print
package rounds

import (
	"context"
	"fmt"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
)

// Against makes a contestant the one that the others are compared with.
func Against(c *Contestant) *Contestant {
	c.Reference = true
	return c
}

// Aiming gives a contestant its goal.
func Aiming(goal string, c *Contestant) *Contestant {
	c.Goal = goal
	return c
}

// Turn is what one contestant achieved in one round.
type Turn struct {
	Rate     float64 // requests or operations per second
	P50, P99 time.Duration
	Good     int64         // answers that were right; 0: not counted
	Failed   int64         // answers that were not right
	CPU      time.Duration // that the load took for a request; 0: not measured
	Server   time.Duration // CPU time, user's and system's, that the server took for a good answer; 0: not measured
}

// Contestant is one of those who take turns.
type Contestant struct {
	Name      string
	Reference bool // what the others of its group are compared with
	Goal      string
	Run       func(context.Context) (Turn, error)
	Server    *process.Process // whose CPU time is measured; nil: nobody's
	Turns     []Turn
}

// turn runs the contestant once, and takes its server's CPU time meanwhile.
func (c *Contestant) turn(ctx context.Context) (Turn, error) {
	if c.Server == nil {
		return c.Run(ctx)
	}
	before := c.Server.CPU()
	t, err := c.Run(ctx)
	if err == nil && t.Good > 0 {
		t.Server = (c.Server.CPU() - before) / time.Duration(t.Good)
	}
	return t, err
}

// Take lets each contestant run once a round, so that whatever else happens on
// the machine meets them all. The order changes from round to round.
func Take(ctx context.Context, o *setup.Options, all []*Contestant) error {
	for round := range o.Rounds {
		for i := range all {
			c := all[(i+round)%len(all)]
			t, err := c.turn(ctx)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", c.Name, round+1, err)
			}
			o.Progress("round %d  %-40s %10.0f/s  p50 %s  p99 %s  server's CPU %s  failed %d", round+1, c.Name, t.Rate, t.P50, t.P99, t.Server, t.Failed)
			c.Turns = append(c.Turns, t)
		}
	}
	return nil
}
