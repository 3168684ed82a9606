package rounds

import (
	"fmt"
	"slices"

	"jobgate/bench/peers/table"
)

// Print prints a group's medians as a Markdown table. One of all is the reference.
func Print(title string, all []*Contestant) {
	reference := all[slices.IndexFunc(all, func(c *Contestant) bool { return c.Reference })]
	fmt.Printf("### %s\n\n", title)
	heads := []string{"<server", "requests/s", "ratio (lowest … highest)", "<goal", "p50", "p99"}
	server, load := reference.Turns[0].Server > 0, reference.Turns[0].CPU > 0
	if server {
		heads = append(heads, "server's CPU a request", "ratio (lowest … highest)")
	}
	if load {
		heads = append(heads, "load's CPU a request")
	}
	t := table.New(heads...)
	for _, c := range all {
		ratio := func(figure func(Turn) float64) string {
			if c == reference {
				return "1"
			}
			return Spread(c.Ratios(reference, figure))
		}
		row := []string{
			c.Name, table.Thousands(Median(c.Of(RateOf))), ratio(RateOf), c.Goal, table.ShortDuration(Median(c.Of(P50Of))), table.ShortDuration(Median(c.Of(P99Of))),
		}
		if server {
			row = append(row, table.Microseconds(Median(c.Of(ServerOf))), ratio(ServerOf))
		}
		if load {
			row = append(row, table.Microseconds(Median(c.Of(loadOf))))
		}
		t.Add(row...)
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds; ratios are to %s, within each round.\n\n", len(all[0].Turns), reference.Name)
	for _, c := range all {
		if n := Sum(c.Of(FailedOf)); n > 0 {
			fmt.Printf("**%s: %.0f answers were wrong.**\n\n", c.Name, n)
		}
	}
}
