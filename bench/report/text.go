package report

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// percentiles are the percentiles in the report's tables.
var percentiles = []float64{50, 75, 90, 95, 99, 99.9, 99.99}

// WriteText writes the result as tables for a terminal, at most 100 columns wide unless
// the target's URL is longer.
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

// Title describes the kind of run in one line.
func (r *Result) Title() string {
	kind := "closed loop (saturation: latency counts from the actual send, and a stalled target is asked less)"
	if r.Plan.Loop == OpenLoop {
		kind = "open loop, " + r.Plan.Arrivals + " arrivals"
		if stages := r.stagesText(); stages != "" { // merged runs may have no common rate
			kind += ", " + stages
		}
		kind += " (latency counts from the intended send)"
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
	s := fmt.Sprintf("%s, opened %s times", humanize.Comma(int64(r.Plan.Connections)), humanize.Comma(r.Counts.Connects))
	if r.Counts.Reconnects > 0 {
		s += fmt.Sprintf(" (%s reconnects)", humanize.Comma(r.Counts.Reconnects))
	}
	if r.Counts.Handshakes > 0 {
		s += fmt.Sprintf(", %s TLS handshakes (%s resumed)", humanize.Comma(r.Counts.Handshakes), humanize.Comma(r.Counts.Resumed))
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
		fmt.Fprintf(b, ", %s offered", Rate(r.Offered()))
	}
	fmt.Fprintf(b, "\n  requests     %s intended, %s good, %s failed (%s)", humanize.Comma(c.Intended), humanize.Comma(c.Good), humanize.Comma(c.Failed), Share(r.ErrorShare()))
	if c.Abandoned > 0 {
		fmt.Fprintf(b, ", %s in flight at the interrupt", humanize.Comma(c.Abandoned))
	}
	if c.Waited > 0 {
		fmt.Fprintf(b, "\n               %s were due while every connection was busy", humanize.Comma(c.Waited))
	}
	if c.Skipped > 0 {
		fmt.Fprintf(b, "\n               %s steps skipped: what they need was not in the answer before", humanize.Comma(c.Skipped))
	}
	fmt.Fprintf(b, "\n  bytes        %s in (%s/s), %s out\n", Bytes(c.BytesIn), Bytes(int64(float64(c.BytesIn)/max(r.Seconds, 1e-9))), Bytes(c.BytesOut))
	var codes []string
	for code, n := range c.Status {
		codes = append(codes, fmt.Sprintf("%s: %s", code, humanize.Comma(n)))
	}
	if len(codes) > 0 {
		sort.Strings(codes)
		fmt.Fprintf(b, "  status       %s\n", strings.Join(codes, ", "))
	}
	if v := r.Verified; v != nil {
		fmt.Fprintf(b, "  verified     %s documents, %s URLs: %s opened, %s signatures recomputed, %s failed\n",
			humanize.Comma(v.Documents), humanize.Comma(v.URLs), humanize.Comma(v.Opened), humanize.Comma(v.Signatures), humanize.Comma(v.Failed))
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
	all := []column{{"from the send", r.Latency}}
	if r.Plan.Loop != ClosedLoop {
		all = []column{{"from the intended send", r.Latency}, {"from the send", r.Service}, {"generator's delay", r.Lag}}
	}
	if r.Shed != nil {
		all = append(all, column{"turned away", r.Shed})
	}
	return all
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
	var t table
	head := []string{"latency"}
	for _, c := range columns {
		head = append(head, c.name)
	}
	t.add(head...)
	row := func(name string, value func(h *Histogram) time.Duration) {
		cells := []string{name}
		for _, c := range columns {
			cells = append(cells, latencyText(c.h, value))
		}
		t.add(cells...)
	}
	row("min", (*Histogram).Min)
	row("mean", (*Histogram).Mean)
	for _, p := range percentiles {
		row(fmt.Sprintf("p%g", p), func(h *Histogram) time.Duration { return h.Percentile(p) })
	}
	row("max", (*Histogram).Max)
	b.WriteString("\n")
	t.appendTo(b)
}

// latencyText formats a figure of a histogram, or "-" if it is empty.
func latencyText(h *Histogram, value func(*Histogram) time.Duration) string {
	if h.Count() == 0 {
		return "-"
	}
	return Duration(value(h))
}

func (r *Result) writeSteps(b *strings.Builder) {
	steps := r.Steps()
	if steps == nil || r.Generator.Limited != "" {
		return
	}
	var t table
	t.add(stepHead...)
	for _, s := range steps {
		t.add(s.cells()...)
	}
	b.WriteString("\n")
	t.appendTo(b)
	fmt.Fprintf(b, "  knee: %s\n", kneeText(steps))
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
	var t table
	t.add(operationHead...)
	for _, o := range r.Operations {
		t.add(r.operationCells(o)...)
	}
	b.WriteString("\n")
	t.appendTo(b)
}

func (r *Result) writeErrors(b *strings.Builder) {
	if len(r.Errors) == 0 {
		return
	}
	var t table
	t.add("errors", "count")
	for _, e := range r.Errors {
		t.add(e.Kind, humanize.Comma(e.Count))
	}
	b.WriteString("\n")
	t.appendTo(b)
	for _, e := range r.Errors {
		if e.Example != "" {
			fmt.Fprintf(b, "  first %s: %s\n", e.Kind, e.Example)
		}
	}
}
