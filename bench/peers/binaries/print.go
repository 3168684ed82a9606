package binaries

import (
	"fmt"
	"strings"

	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

// print prints the table and the ratios of each pair of turns.
func (b *binaries) print() error {
	if len(b.pairs) == 0 {
		return fmt.Errorf("-only %q selects no scenario", b.Only)
	}
	fmt.Printf("## Two binaries\n\nBefore: %s. After: %s.\nServer on core %d, load on core %d, %d rounds of %s, %s things.\n\n",
		setup.Output(b.sides[0].Jobgate, "version"), setup.Output(b.sides[1].Jobgate, "version"), b.ServerCore, b.LoadCore, b.Rounds, b.Length, table.Thousands(float64(b.Things)))
	t := table.New("<scenario", "server's CPU before", "after", "<a", "ratio (lowest … highest)", "rate before", "after", "ratio (lowest … highest)",
		"p99 before", "after", "ratio (lowest … highest)", "wrong answers")
	each := table.New("<scenario", "<CPU ratio of each pair")
	for _, p := range b.pairs {
		of := func(i int, figure func(rounds.Turn) float64) float64 { return rounds.Median(p.sides[i].Of(figure)) }
		cpu := p.ratios(rounds.ServerOf)
		t.Add(p.scenario, table.Microseconds(of(0, rounds.ServerOf)), table.Microseconds(of(1, rounds.ServerOf)), p.unit, rounds.Spread(cpu),
			table.Thousands(of(0, rounds.RateOf)), table.Thousands(of(1, rounds.RateOf)), rounds.Spread(p.ratios(rounds.RateOf)),
			table.ShortDuration(of(0, rounds.P99Of)), table.ShortDuration(of(1, rounds.P99Of)), rounds.Spread(p.ratios(rounds.P99Of)),
			fmt.Sprintf("%.0f, %.0f", rounds.Sum(p.sides[0].Of(rounds.FailedOf)), rounds.Sum(p.sides[1].Of(rounds.FailedOf))))
		var words []string
		for _, r := range cpu {
			words = append(words, fmt.Sprintf("%.3f", r))
		}
		each.Add(p.scenario, strings.Join(words, " "))
	}
	fmt.Print(t)
	fmt.Print(each)
	if b.sides[0].heap != nil {
		fmt.Printf("Live heap a thing, each with a job, beyond a gateway without things: %.0f B before, %.0f B after.\n\n",
			rounds.Median(b.sides[0].heap), rounds.Median(b.sides[1].heap))
	}
	fmt.Print("CPU is the server process's, user and system, over good answers: medians of all turns. A ratio is after to before within a pair of turns; the table shows its median.\n\n")
	return nil
}
