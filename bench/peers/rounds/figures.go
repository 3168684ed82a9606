package rounds

import (
	"fmt"
	"math"
	"slices"
)

func Median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// Of returns one figure of all turns.
func (c *Contestant) Of(f func(Turn) float64) []float64 {
	var all []float64
	for _, t := range c.Turns {
		all = append(all, f(t))
	}
	return all
}

// The figures of a turn that are compared.
var (
	RateOf   = func(t Turn) float64 { return t.Rate }
	P50Of    = func(t Turn) float64 { return float64(t.P50) }
	P99Of    = func(t Turn) float64 { return float64(t.P99) }
	loadOf   = func(t Turn) float64 { return float64(t.CPU) }
	ServerOf = func(t Turn) float64 { return float64(t.Server) }
	GoodOf   = func(t Turn) float64 { return float64(t.Good) }
	FailedOf = func(t Turn) float64 { return float64(t.Failed) }
)

// Ratios returns a figure's ratio to the reference's within each round.
func (c *Contestant) Ratios(reference *Contestant, figure func(Turn) float64) (all []float64) {
	for i := range min(len(c.Turns), len(reference.Turns)) {
		all = append(all, figure(c.Turns[i])/figure(reference.Turns[i]))
	}
	return all
}

// Spread formats the median, the lowest and the highest of ratios.
func Spread(ratios []float64) string {
	if len(ratios) == 0 || slices.ContainsFunc(ratios, math.IsNaN) {
		return "not measured"
	}
	return fmt.Sprintf("%.2f (%.2f … %.2f)", Median(slices.Clone(ratios)), slices.Min(ratios), slices.Max(ratios))
}

func Sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}
