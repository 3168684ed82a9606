package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"time"

	"github.com/dustin/go-humanize"
)

//go:embed report.html.tmpl
var pageText string

var page = template.Must(template.New("report").Parse(pageText))

// pageData is the input of the template: text and finished plots.
type pageData struct {
	*Result
	Title   string
	Facts   [][2]string
	Tiles   [][2]string
	Plots   []pagePlot
	Steps   [][]string // as in all tables, the first row is the head
	Knee    string
	Latency [][]string
	Ops     [][]string
	Errors  []Error
	Version string
}

// pagePlot is one plot with its heading and legend.
type pagePlot struct {
	Name, Note string
	SVG        template.HTML
	Legend     [][2]string // class and name
}

// WriteHTML writes the result as one page with inline plots. The page loads nothing.
func (r *Result) WriteHTML(w io.Writer) error {
	d := pageData{Result: r, Title: r.Title(), Facts: r.facts(), Tiles: r.tiles(), Errors: r.Errors, Version: Format}
	if len(r.Intervals) > 0 {
		if r.Generator.Limited == "" {
			d.Plots = append(d.Plots, r.latencyPlot())
		}
		d.Plots = append(d.Plots, r.ratePlot())
	}
	if r.Generator.Limited == "" && r.Latency.Count() > 0 {
		d.Plots = append(d.Plots, r.percentilePlot())
		d.Latency = r.latencyTable()
	}
	if steps := r.Steps(); steps != nil && r.Generator.Limited == "" {
		d.Knee = kneeText(steps)
		d.Steps = [][]string{stepHead}
		for _, s := range steps {
			d.Steps = append(d.Steps, s.cells())
		}
	}
	if len(r.Operations) > 0 {
		d.Ops = [][]string{operationHead}
	}
	for _, o := range r.Operations {
		d.Ops = append(d.Ops, r.operationCells(o))
	}
	if err := page.Execute(w, d); err != nil {
		return fmt.Errorf("cannot write the HTML report: %w", err)
	}
	return nil
}

// facts are the lines under the heading.
func (r *Result) facts() [][2]string {
	facts := [][2]string{{"Target", r.Plan.Target}}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, [2]string{name, value})
		}
	}
	add("Scenario", r.Plan.Scenario)
	add("Names", r.Plan.Names)
	add("TLS", r.Plan.TLS)
	add("Connections", r.connectionsText())
	add("Measured", fmt.Sprintf("%.2f s from %s, after a warm-up of %g s", r.Seconds, r.Started.UTC().Format(time.DateTime+" UTC"), r.Plan.Warmup))
	for _, m := range r.Machines {
		machine := fmt.Sprintf("%d cores for the generator, %s, %s", m.Cores, m.OS, m.Go)
		if m.CPU != "" {
			machine = m.CPU + ", " + machine
		}
		add("Load machine", machine)
	}
	add("Generator", Share(r.Generator.CPUShare)+" of its CPU")
	if v := r.Verified; v != nil {
		add("Verified", fmt.Sprintf("%s URLs in %s documents: %s opened, %s signatures recomputed, %s failed", humanize.Comma(v.URLs), humanize.Comma(v.Documents), humanize.Comma(v.Opened), humanize.Comma(v.Signatures), humanize.Comma(v.Failed)))
	}
	return facts
}

// tiles are the figures at the top.
func (r *Result) tiles() [][2]string {
	tiles := [][2]string{{"good answers", Rate(r.Rate())}, {"errors", Share(r.ErrorShare())}}
	if r.Generator.Limited != "" || r.Latency.Count() == 0 {
		return tiles
	}
	for _, p := range []float64{50, 99, 99.9} {
		tiles = append(tiles, [2]string{fmt.Sprintf("p%g", p), Duration(r.Latency.Percentile(p))})
	}
	return append(tiles, [2]string{"max", Duration(r.Latency.Max())})
}

// latencyTable is the table of the text report.
func (r *Result) latencyTable() [][]string {
	columns := r.columns()
	table := [][]string{{""}}
	for _, c := range columns {
		table[0] = append(table[0], c.name)
	}
	row := func(name string, value func(*Histogram) time.Duration) {
		line := []string{name}
		for _, c := range columns {
			line = append(line, latencyText(c.h, value))
		}
		table = append(table, line)
	}
	row("min", (*Histogram).Min)
	row("mean", (*Histogram).Mean)
	for _, p := range percentiles {
		row(fmt.Sprintf("p%g", p), func(h *Histogram) time.Duration { return h.Percentile(p) })
	}
	row("max", (*Histogram).Max)
	return table
}

// timeAxis covers the run.
func (r *Result) timeAxis() axis {
	last := r.Intervals[len(r.Intervals)-1]
	a := linearAxis(last.At+last.Seconds, func(v float64) string { return fmt.Sprintf("%g s", math.Round(v*1000)/1000) })
	a.high = last.At + last.Seconds
	for len(a.ticks) > 0 && a.ticks[len(a.ticks)-1].value > a.high {
		a.ticks = a.ticks[:len(a.ticks)-1]
	}
	return a
}

// latencyPlot shows p50, p99 and the maximum of each interval.
func (r *Result) latencyPlot() pagePlot {
	lines := []series{{name: "max", class: "s3"}, {name: "p99", class: "s2"}, {name: "p50", class: "s1"}}
	var all []float64
	for _, i := range r.Intervals {
		values := []float64{float64(i.Latency.Max()), float64(i.Latency.Percentile(99)), float64(i.Latency.Percentile(50))}
		for k := range lines {
			v := values[k]
			if i.Latency.Count() == 0 {
				v = math.NaN()
			}
			lines[k].x = append(lines[k].x, i.At+i.Seconds/2)
			lines[k].y = append(lines[k].y, v)
			lines[k].hint = append(lines[k].hint, fmt.Sprintf("%s, %.1f to %.1f s: %s", lines[k].name, i.At, i.At+i.Seconds, Duration(time.Duration(values[k]))))
		}
		all = append(all, values...)
	}
	p := plot{title: "latency over time", x: r.timeAxis(), y: latencyAxis(all), series: lines}
	return pagePlot{Name: "Latency over time", SVG: p.svg(), Legend: legend(lines)}
}

// ratePlot shows the requests due, the good answers and the failures.
func (r *Result) ratePlot() pagePlot {
	due := series{name: "offered", class: "s2"}
	ok := series{name: "good answers", class: "s1", area: true}
	bad := series{name: "failed", class: "s3"}
	high, anyBad := 0.0, false
	for _, i := range r.Intervals {
		if i.Seconds < r.Intervals[0].Seconds/2 {
			continue // a partial last interval is too short for a rate
		}
		for _, s := range []struct {
			*series
			n int64
		}{{&due, i.Intended}, {&ok, i.Good}, {&bad, i.Failed}} {
			v := perSecond(s.n, i.Seconds)
			high = max(high, v)
			s.x, s.y = append(s.x, i.At+i.Seconds/2), append(s.y, v)
			s.hint = append(s.hint, fmt.Sprintf("%s, %.1f to %.1f s: %s", s.name, i.At, i.At+i.Seconds, Rate(v)))
		}
		anyBad = anyBad || i.Failed > 0
	}
	lines := []series{ok}
	if r.Plan.Loop == OpenLoop {
		lines = append(lines, due)
	}
	if anyBad {
		lines = append(lines, bad)
	}
	p := plot{title: "rate over time", x: r.timeAxis(), y: linearAxis(high*1.05, Rate), series: lines}
	return pagePlot{Name: "Rate", SVG: p.svg(), Legend: legend(lines)}
}

// percentilePlot shows latency over percentiles on a logarithmic axis: 99 to 99.9 is as
// wide as 90 to 99.
func (r *Result) percentilePlot() pagePlot {
	const decades = 5 // up to 99.999 %
	var lines []series
	var all []float64
	for k, c := range r.columns() {
		if c.h.Count() == 0 {
			continue
		}
		s := series{name: c.name, class: fmt.Sprintf("s%d", k+1)}
		// n answers have no percentile above 1 - 1/n.
		reach := min(decades, math.Log10(float64(c.h.Count())))
		for x := 0.0; x <= reach; x += 0.05 {
			p := 100 * (1 - math.Pow(10, -x))
			v := float64(c.h.Percentile(p))
			s.x, s.y = append(s.x, x), append(s.y, v)
			s.hint = append(s.hint, fmt.Sprintf("%s, p%.4g: %s", s.name, p, Duration(time.Duration(v))))
			all = append(all, v)
		}
		lines = append(lines, s)
	}
	x := axis{high: decades, ticks: []tick{{0, "0 %"}, {math.Log10(2), "50 %"}, {1, "90 %"}, {2, "99 %"}, {3, "99.9 %"}, {4, "99.99 %"}, {5, "99.999 %"}}}
	p := plot{title: "latency by percentile", x: x, y: latencyAxis(all), series: lines}
	return pagePlot{Name: "Latency by percentile", SVG: p.svg(), Legend: legend(lines)}
}

func legend(lines []series) (l [][2]string) {
	for _, s := range lines {
		l = append(l, [2]string{s.class, s.name})
	}
	return l
}
