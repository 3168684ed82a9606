package report

import (
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// The heads of the tables of steps and operations, which the text and the page share.
var (
	stepHead      = []string{"planned", "offered", "good", "p50", "p99", "errors", "kept up"}
	operationHead = []string{"operation", "good", "failed", "p50", "p99", "p99.9", "max"}
)

// cells returns the step's table row.
func (s *Step) cells() []string {
	percentile := func(p float64) string {
		return latencyText(s.latency, func(h *Histogram) time.Duration { return h.Percentile(p) })
	}
	asked := Rate(s.From)
	if s.From != s.To {
		asked = strings.TrimSuffix(asked, "/s") + ".." + Rate(s.To)
	}
	return []string{asked, Rate(s.Offered), Rate(s.Good), percentile(50), percentile(99), Share(s.ErrorShare), yesNo(s.KeptUp)}
}

// operationCells returns an operation's table row, without latencies if the generator was
// the bottleneck.
func (r *Result) operationCells(o Operation) []string {
	cells := []string{o.Name, humanize.Comma(o.Good), humanize.Comma(o.Failed)}
	for _, p := range []float64{50, 99, 99.9, 100} {
		cell := "-"
		if r.Generator.Limited == "" {
			cell = latencyText(o.Latency, func(h *Histogram) time.Duration { return h.Percentile(p) })
		}
		cells = append(cells, cell)
	}
	return cells
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
