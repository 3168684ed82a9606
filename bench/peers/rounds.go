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
	failed   int64         // answers that were not right
	cpu      time.Duration // that the load took for a request; 0: not measured
}

// contestant is one of those who take turns.
type contestant struct {
	name      string
	reference bool // what the others of its group are compared with
	goal      string
	run       func(context.Context) (turn, error)
	turns     []turn
}

// takeTurns lets each contestant run once a round, so that whatever else happens on
// the machine meets them all. The order changes from round to round.
func takeTurns(ctx context.Context, o *options, all []*contestant) error {
	for round := range o.rounds {
		for i := range all {
			c := all[(i+round)%len(all)]
			t, err := c.run(ctx)
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", c.name, round+1, err)
			}
			o.progress("round %d  %-40s %10.0f/s  p50 %s  p99 %s  failed %d", round+1, c.name, t.rate, t.p50, t.p99, t.failed)
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

// ratio returns the median of the ratios within each round, and the lowest and highest
// of them.
func (c *contestant) ratio(reference *contestant) (mid, low, high float64) {
	var ratios []float64
	for i := range min(len(c.turns), len(reference.turns)) {
		ratios = append(ratios, c.turns[i].rate/reference.turns[i].rate)
	}
	return median(ratios), slices.Min(ratios), slices.Max(ratios)
}

// printTurns writes a group's medians as a Markdown table. One of all is the reference.
func printTurns(title string, all []*contestant) {
	reference := all[slices.IndexFunc(all, func(c *contestant) bool { return c.reference })]
	fmt.Printf("### %s\n\n", title)
	heads := []string{"<server", "requests/s", "ratio (lowest … highest)", "<goal", "p50", "p99"}
	compareCPU := reference.turns[0].cpu > 0
	if compareCPU {
		heads = append(heads, "load's CPU a request")
	}
	t := newTable(heads...)
	for _, c := range all {
		ratio := "1"
		if c != reference {
			mid, low, high := c.ratio(reference)
			ratio = fmt.Sprintf("%.2f (%.2f … %.2f)", mid, low, high)
		}
		row := []string{
			c.name, thousands(median(c.of(func(t turn) float64 { return t.rate }))), ratio, c.goal,
			shortDuration(median(c.of(func(t turn) float64 { return float64(t.p50) }))), shortDuration(median(c.of(func(t turn) float64 { return float64(t.p99) }))),
		}
		if compareCPU {
			row = append(row, fmt.Sprintf("%.1f µs", median(c.of(func(t turn) float64 { return float64(t.cpu) }))/1e3))
		}
		t.add(row...)
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds; ratios are to %s, within each round.\n\n", len(all[0].turns), reference.name)
	for _, c := range all {
		if n := sum(c.of(func(t turn) float64 { return float64(t.failed) })); n > 0 {
			fmt.Printf("**%s: %.0f answers were wrong.**\n\n", c.name, n)
		}
	}
}

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
