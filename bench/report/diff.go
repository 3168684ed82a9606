package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// WriteDiff writes two results side by side, a before b, with the change of each
// figure in percent and the differences between the two plans. It does not report whether
// a change is noise: for that, run each side several times.
func WriteDiff(w io.Writer, a, b *Result) error {
	s := new(strings.Builder)
	if a.Plan.Loop != b.Plan.Loop {
		fmt.Fprintf(s, "warning: A is of the %s loop, B of the %s loop: their latencies cannot be compared\n", a.Plan.Loop, b.Plan.Loop)
	}
	for _, what := range []func(*Result) string{
		func(r *Result) string { return r.Plan.Target }, func(r *Result) string { return r.Plan.Scenario },
		(*Result).Title, func(r *Result) string { return r.Plan.Names },
		func(r *Result) string { return humanize.Comma(int64(r.Plan.Connections)) + " connections" },
	} {
		if x, y := what(a), what(b); x != y {
			fmt.Fprintf(s, "A  %s\nB  %s\n", x, y)
		}
	}
	var t table
	t.add("", "A", "B", "B against A")
	t.add("rate", Rate(a.Rate()), Rate(b.Rate()), change(a.Rate(), b.Rate()))
	t.add("errors", Share(a.ErrorShare()), Share(b.ErrorShare()), change(a.ErrorShare(), b.ErrorShare()))
	latency := func(name string, value func(*Histogram) time.Duration) {
		compared := ""
		if a.hasLatency() && b.hasLatency() {
			compared = change(float64(value(a.Latency)), float64(value(b.Latency)))
		}
		t.add(name, latencyCell(a, value), latencyCell(b, value), compared)
	}
	latency("mean", (*Histogram).Mean)
	for _, p := range percentiles {
		latency(fmt.Sprintf("p%g", p), func(h *Histogram) time.Duration { return h.Percentile(p) })
	}
	latency("max", (*Histogram).Max)
	t.add("generator's CPU", Share(a.Generator.CPUShare), Share(b.Generator.CPUShare), change(a.Generator.CPUShare, b.Generator.CPUShare))
	t.appendTo(s)
	for _, r := range []struct {
		name string
		*Result
	}{{"A", a}, {"B", b}} {
		if r.Generator.Limited != "" {
			fmt.Fprintf(s, "%s: the generator was the bottleneck: %s\n", r.name, r.Generator.Limited)
		}
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// hasLatency reports whether the result has latencies of the target, not of a limited generator.
func (r *Result) hasLatency() bool { return r.Generator.Limited == "" && r.Latency.Count() > 0 }

// latencyCell formats one latency, or "-" if there is none.
func latencyCell(r *Result, value func(*Histogram) time.Duration) string {
	if !r.hasLatency() {
		return "-"
	}
	return Duration(value(r.Latency))
}

// change formats the change from a to b in percent.
func change(a, b float64) string {
	if a <= 0 {
		return ""
	}
	return fmt.Sprintf("%+.1f %%", (b-a)/a*100)
}
