package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteDiff writes two results side by side, a before b, with the change of each
// figure in percent. It does not say whether a change is noise: for that, run each
// side several times.
func WriteDiff(w io.Writer, a, b *Result) error {
	s := new(strings.Builder)
	if a.Plan.Loop != b.Plan.Loop {
		fmt.Fprintf(s, "warning: A is of the %s loop, B of the %s loop: their latencies do not compare\n", a.Plan.Loop, b.Plan.Loop)
	}
	if a.Plan.Target != b.Plan.Target {
		fmt.Fprintf(s, "A  %s\nB  %s\n", a.Plan.Target, b.Plan.Target)
	}
	t := tabwriter.NewWriter(s, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "  \tA\tB\tB against A\t\n")
	diffRow(t, "rate", a.Rate(), b.Rate(), Rate)
	diffRow(t, "errors", a.ErrorShare(), b.ErrorShare(), Share)
	latency := func(name string, value func(*Histogram) time.Duration) {
		cell := func(f float64) string { return Duration(time.Duration(f)) }
		if a.Generator.Limited != "" || b.Generator.Limited != "" || a.Latency.Count() == 0 || b.Latency.Count() == 0 {
			fmt.Fprintf(t, "  %s\t%s\t%s\t\t\n", name, latencyCell(a, value), latencyCell(b, value))
			return
		}
		diffRow(t, name, float64(value(a.Latency)), float64(value(b.Latency)), cell)
	}
	latency("mean", (*Histogram).Mean)
	for _, p := range percentiles {
		latency(fmt.Sprintf("p%g", p), func(h *Histogram) time.Duration { return h.Percentile(p) })
	}
	latency("max", (*Histogram).Max)
	diffRow(t, "generator's CPU", a.Generator.CPUShare, b.Generator.CPUShare, Share)
	_ = t.Flush() // to a strings.Builder, which takes all
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

// latencyCell writes one latency, or that there is none to write.
func latencyCell(r *Result, value func(*Histogram) time.Duration) string {
	if r.Generator.Limited != "" || r.Latency.Count() == 0 {
		return "-"
	}
	return Duration(value(r.Latency))
}

func diffRow(w io.Writer, name string, a, b float64, text func(float64) string) {
	change := ""
	if a > 0 {
		change = fmt.Sprintf("%+.1f %%", (b-a)/a*100)
	}
	fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t\n", name, text(a), text(b), change)
}
