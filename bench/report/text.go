package report

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// percentiles are those of the report's tables.
var percentiles = []float64{50, 75, 90, 95, 99, 99.9, 99.99}

// WriteText writes the result as tables for a terminal, at most 100 columns wide but
// for what the target's own name takes.
func (r *Result) WriteText(w io.Writer) error {
	b := new(strings.Builder)
	r.writeHead(b)
	r.writeCounts(b)
	r.writeLatency(b)
	r.writeSteps(b)
	r.writeOperations(b)
	r.writeErrors(b)
	for _, s := range r.Warnings {
		fmt.Fprintf(b, "warning: %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Title says in one line what kind of run this was.
func (r *Result) Title() string {
	kind := "closed loop (saturation: latency counts from the actual send, and a stalled target is asked less)"
	if r.Plan.Loop == OpenLoop {
		kind = "open loop, " + r.Plan.Arrivals + " arrivals, " + r.stagesText() + " (latency counts from the intended send)"
	}
	if r.Interrupted {
		kind += ", interrupted"
	}
	return kind
}

func (r *Result) stagesText() string {
	var all []string
	for _, s := range r.Plan.Stages {
		text := Rate(s.From)
		if s.From != s.To {
			text = strings.TrimSuffix(text, "/s") + ".." + Rate(s.To)
		}
		if s.Seconds > 0 && len(r.Plan.Stages) > 1 {
			text += fmt.Sprintf(" for %g s", s.Seconds)
		}
		all = append(all, text)
	}
	if len(all) > 4 {
		all = append(append(all[:2:2], fmt.Sprintf("… %d stages …", len(all)-3)), all[len(all)-1])
	}
	return strings.Join(all, ", ")
}

func (r *Result) writeHead(b *strings.Builder) {
	fmt.Fprintf(b, "%s\n", r.Title())
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "  %-12s %s\n", name, value)
		}
	}
	line("target", r.Plan.Target)
	line("scenario", r.Plan.Scenario)
	line("names", r.Plan.Names)
	line("tls", r.Plan.TLS)
	line("connections", r.connectionsText())
	line("measured", fmt.Sprintf("%.2f s, after a warm-up of %g s", r.Seconds, r.Plan.Warmup))
	generator := fmt.Sprintf("%s of the CPU it could use", Share(r.Generator.CPUShare))
	if len(r.Machines) > 1 {
		generator = fmt.Sprintf("%d processes, the busiest used %s", len(r.Machines), generator)
	}
	line("generator", generator)
}

func (r *Result) connectionsText() string {
	s := fmt.Sprintf("%s, opened %s times", Count(int64(r.Plan.Connections)), Count(r.Counts.Connects))
	if r.Counts.Reconnects > 0 {
		s += fmt.Sprintf(" (%s reconnects)", Count(r.Counts.Reconnects))
	}
	if r.Counts.Handshakes > 0 {
		s += fmt.Sprintf(", %s TLS handshakes (%s resumed)", Count(r.Counts.Handshakes), Count(r.Counts.Resumed))
	}
	if r.Plan.KeepAlive < 1 {
		s += fmt.Sprintf(", %s of requests keep theirs", Share(r.Plan.KeepAlive))
	}
	return s
}

func (r *Result) writeCounts(b *strings.Builder) {
	c := r.Counts
	fmt.Fprintf(b, "\n  rate         %s good answers", Rate(r.Rate()))
	if r.Plan.Loop == OpenLoop {
		fmt.Fprintf(b, ", %s fell due", Rate(perSecond(c.Intended, r.Seconds)))
	}
	fmt.Fprintf(b, "\n  requests     %s intended, %s good, %s failed (%s)", Count(c.Intended), Count(c.Good), Count(c.Failed), Share(r.ErrorShare()))
	if c.Abandoned > 0 {
		fmt.Fprintf(b, ", %s in flight at the interrupt", Count(c.Abandoned))
	}
	if c.Waited > 0 {
		fmt.Fprintf(b, "\n               %s fell due while every connection was busy", Count(c.Waited))
	}
	if c.Skipped > 0 {
		fmt.Fprintf(b, "\n               %s steps skipped: what they need was not in the answer before", Count(c.Skipped))
	}
	fmt.Fprintf(b, "\n  bytes        %s in (%s/s), %s out\n", Bytes(c.BytesIn), Bytes(int64(float64(c.BytesIn)/max(r.Seconds, 1e-9))), Bytes(c.BytesOut))
	var codes []string
	for code, n := range c.Status {
		codes = append(codes, fmt.Sprintf("%s: %s", code, Count(n)))
	}
	if len(codes) > 0 {
		sort.Strings(codes)
		fmt.Fprintf(b, "  status       %s\n", strings.Join(codes, ", "))
	}
	if v := r.Verified; v != nil {
		fmt.Fprintf(b, "  verified     %s documents, %s URLs: %s opened, %s signatures recomputed, %s failed\n",
			Count(v.Documents), Count(v.URLs), Count(v.Opened), Count(v.Signatures), Count(v.Failed))
		if v.Example != "" {
			fmt.Fprintf(b, "               %s\n", v.Example)
		}
	}
}

// column is one histogram of the latency table.
type column struct {
	name string
	h    *Histogram
}

func (r *Result) columns() []column {
	if r.Plan.Loop == ClosedLoop {
		return []column{{"from the send", r.Latency}}
	}
	return []column{{"from the intended send", r.Latency}, {"from the send", r.Service}, {"generator's delay", r.Lag}}
}

func (r *Result) writeLatency(b *strings.Builder) {
	if why := r.Generator.Limited; why != "" {
		fmt.Fprintf(b, "\n  latency is not reported: the generator was the bottleneck, not the target.\n  %s\n", why)
		return
	}
	if r.Latency.Count() == 0 {
		fmt.Fprintf(b, "\n  latency is not reported: there was no good answer.\n")
		return
	}
	columns := r.columns()
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', tabwriter.AlignRight)
	row := func(name string, value func(h *Histogram) time.Duration) {
		fmt.Fprintf(t, "  %-7s\t", name)
		for _, c := range columns {
			cell := "-"
			if c.h.Count() > 0 {
				cell = Duration(value(c.h))
			}
			fmt.Fprintf(t, "%s\t", cell)
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "\n  latency\t")
	for _, c := range columns {
		fmt.Fprintf(t, "%s\t", c.name)
	}
	fmt.Fprintln(t)
	row("min", (*Histogram).Min)
	row("mean", (*Histogram).Mean)
	for _, p := range percentiles {
		row(fmt.Sprintf("p%g", p), func(h *Histogram) time.Duration { return h.Percentile(p) })
	}
	row("max", (*Histogram).Max)
	_ = t.Flush() // to a strings.Builder, which takes all
}

func (r *Result) writeSteps(b *strings.Builder) {
	steps := r.Steps()
	if steps == nil || r.Generator.Limited != "" {
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n  asked for\tfell due\tgood\tp50\tp99\terrors\tkept up\t\n")
	for _, s := range steps {
		kept := "yes"
		if !s.KeptUp {
			kept = "no"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", stepText(s), Rate(s.Offered), Rate(s.Good), Duration(s.P50), Duration(s.P99), Share(s.ErrorShare), kept)
	}
	_ = t.Flush()
	fmt.Fprintf(b, "  knee: %s\n", kneeText(steps))
}

func stepText(s Step) string {
	if s.From == s.To {
		return Rate(s.From)
	}
	return strings.TrimSuffix(Rate(s.From), "/s") + ".." + Rate(s.To)
}

func kneeText(steps []Step) string {
	knee, found := Knee(steps)
	switch {
	case !found:
		return "none, the target kept up at every rate"
	case knee.To == 0:
		return "below the first step"
	}
	return "the target kept up until " + Rate(knee.To)
}

func (r *Result) writeOperations(b *strings.Builder) {
	if len(r.Operations) == 0 {
		return
	}
	t := tabwriter.NewWriter(b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "\n  operation\tgood\tfailed\tp50\tp99\tp99.9\tmax\t\n")
	for _, o := range r.Operations {
		fmt.Fprintf(t, "  %s\t%s\t%s\t", o.Name, Count(o.Good), Count(o.Failed))
		for _, d := range []time.Duration{o.Latency.Percentile(50), o.Latency.Percentile(99), o.Latency.Percentile(99.9), o.Latency.Max()} {
			cell := "-"
			if o.Latency.Count() > 0 && r.Generator.Limited == "" {
				cell = Duration(d)
			}
			fmt.Fprintf(t, "%s\t", cell)
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
}

func (r *Result) writeErrors(b *strings.Builder) {
	if len(r.Errors) == 0 {
		return
	}
	fmt.Fprintf(b, "\n  errors\n")
	for _, e := range r.Errors {
		fmt.Fprintf(b, "    %-18s %10s   %s\n", e.Kind, Count(e.Count), e.Example)
	}
}
