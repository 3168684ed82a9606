// Package rounds runs contestants in turns, and prints the medians of their figures and the ratios within each round.
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

// Against makes a contestant the reference of its group.
func Against(c *Contestant) *Contestant {
	c.Reference = true
	return c
}

// Aiming gives a contestant its goal.
func Aiming(goal string, c *Contestant) *Contestant {
	c.Goal = goal
	return c
}

// Turn is the result of one contestant in one round.
type Turn struct {
	Rate     float64 // requests or operations per second
	P50, P99 time.Duration
	Good     int64         // correct answers; 0: not counted
	Failed   int64         // wrong answers
	CPU      time.Duration // the load's CPU time a request; 0: not measured
	Server   time.Duration // the server's CPU time (user and system) a good answer; 0: not measured
}

// Contestant is one of the servers or programs that take turns.
type Contestant struct {
	Name      string
	Reference bool // the others of its group are compared with it
	Goal      string
	Run       func(context.Context) (Turn, error)
	Server    *process.Process // its CPU time is measured; nil: none
	Turns     []Turn
}

// turn runs the contestant once and measures its server's CPU time.
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

// Take runs each contestant once a round, so that other load on the machine affects
// them all. The order changes from round to round.
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
