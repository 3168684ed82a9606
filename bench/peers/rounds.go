package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// turn is what one contestant achieved in one round.
type turn struct {
	rate     float64 // requests or operations per second
	p50, p99 time.Duration
	good     int64         // answers that were right; 0: not counted
	failed   int64         // answers that were not right
	cpu      time.Duration // that the load took for a request; 0: not measured
	server   time.Duration // CPU time, user's and system's, that the server took for a good answer; 0: not measured
}

// contestant is one of those who take turns.
type contestant struct {
	name      string
	reference bool // what the others of its group are compared with
	goal      string
	run       func(context.Context) (turn, error)
	server    *process // whose CPU time is measured; nil: nobody's
	turns     []turn
}

// turn runs the contestant once, and takes its server's CPU time meanwhile.
func (c *contestant) turn(ctx context.Context) (turn, error) {
	if c.server == nil {
		return c.run(ctx)
	}
	before := c.server.cpu()
	t, err := c.run(ctx)
	if err == nil && t.good > 0 {
		t.server = (c.server.cpu() - before) / time.Duration(t.good)
	}
	return t, err
}

// takeTurns lets each contestant run once a round, so that whatever else happens on
// the machine meets them all. The order changes from round to round.
func takeTurns(ctx context.Context, o *options, all []*contestant) error {
	for round := range o.rounds {
		for i := range all {
			c := all[(i+round)%len(all)]
			t, err := c.turn(ctx)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", c.name, round+1, err)
			}
			o.progress("round %d  %-40s %10.0f/s  p50 %s  p99 %s  server's CPU %s  failed %d", round+1, c.name, t.rate, t.p50, t.p99, t.server, t.failed)
			c.turns = append(c.turns, t)
		}
	}
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// of collects one figure of all turns.
func (c *contestant) of(f func(turn) float64) []float64 {
	var all []float64
	for _, t := range c.turns {
		all = append(all, f(t))
	}
	return all
}

// The figures of a turn that are compared.
var (
	rateOf   = func(t turn) float64 { return t.rate }
	p50Of    = func(t turn) float64 { return float64(t.p50) }
	p99Of    = func(t turn) float64 { return float64(t.p99) }
	loadOf   = func(t turn) float64 { return float64(t.cpu) }
	serverOf = func(t turn) float64 { return float64(t.server) }
	goodOf   = func(t turn) float64 { return float64(t.good) }
	failedOf = func(t turn) float64 { return float64(t.failed) }
)

// ratios returns a figure's ratio to the reference's within each round.
func (c *contestant) ratios(reference *contestant, figure func(turn) float64) (all []float64) {
	for i := range min(len(c.turns), len(reference.turns)) {
		all = append(all, figure(c.turns[i])/figure(reference.turns[i]))
	}
	return all
}

// spread writes the median of ratios, and the lowest and highest of them.
func spread(ratios []float64) string {
	if len(ratios) == 0 || slices.ContainsFunc(ratios, math.IsNaN) {
		return "not measured"
	}
	return fmt.Sprintf("%.2f (%.2f … %.2f)", median(slices.Clone(ratios)), slices.Min(ratios), slices.Max(ratios))
}

// printTurns writes a group's medians as a Markdown table. One of all is the reference.
func printTurns(title string, all []*contestant) {
	reference := all[slices.IndexFunc(all, func(c *contestant) bool { return c.reference })]
	fmt.Printf("### %s\n\n", title)
	heads := []string{"<server", "requests/s", "ratio (lowest … highest)", "<goal", "p50", "p99"}
	server, load := reference.turns[0].server > 0, reference.turns[0].cpu > 0
	if server {
		heads = append(heads, "server's CPU a request", "ratio (lowest … highest)")
	}
	if load {
		heads = append(heads, "load's CPU a request")
	}
	t := newTable(heads...)
	for _, c := range all {
		ratio := func(figure func(turn) float64) string {
			if c == reference {
				return "1"
			}
			return spread(c.ratios(reference, figure))
		}
		row := []string{
			c.name, thousands(median(c.of(rateOf))), ratio(rateOf), c.goal, shortDuration(median(c.of(p50Of))), shortDuration(median(c.of(p99Of))),
		}
		if server {
			row = append(row, microseconds(median(c.of(serverOf))), ratio(serverOf))
		}
		if load {
			row = append(row, microseconds(median(c.of(loadOf))))
		}
		t.add(row...)
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds; ratios are to %s, within each round.\n\n", len(all[0].turns), reference.name)
	for _, c := range all {
		if n := sum(c.of(failedOf)); n > 0 {
			fmt.Printf("**%s: %.0f answers were wrong.**\n\n", c.name, n)
		}
	}
}

// microseconds writes nanoseconds as what a request costs.
func microseconds(ns float64) string { return fmt.Sprintf("%.2f µs", ns/1e3) }

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

func thousands(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func shortDuration(ns float64) string {
	switch {
	case math.IsNaN(ns) || ns == 0:
		return ""
	case ns < 1e6:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	}
	return strings.Replace(fmt.Sprintf("%.2f ms", ns/1e6), ".00 ", " ", 1)
}
