package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// The size of a plot, in SVG units, and of the margins that hold its labels.
const (
	plotWidth, plotHeight = 880.0, 260.0
	plotLeft, plotRight   = 78.0, 14.0
	plotTop, plotBottom   = 10.0, 30.0
)

// axis maps values to positions between from and to.
type axis struct {
	low, high float64
	log       bool
	from, to  float64 // positions of low and high
	ticks     []tick
}

// tick is a labelled value on an axis.
type tick struct {
	value float64
	label string
}

func (a *axis) place(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log10(max(v, a.low)), math.Log10(low), math.Log10(high)
	}
	if high == low {
		return a.from
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// series is one line of a plot. A NaN breaks it.
type series struct {
	name  string
	class string // CSS class: s1, s2, s3
	x, y  []float64
	area  bool // filled down to the axis
	hint  []string
}

// plot is a line plot drawn as SVG.
type plot struct {
	title  string
	x, y   axis
	series []series
}

// svg draws the plot. Its text comes from this package but is escaped anyway.
func (p *plot) svg() template.HTML {
	p.x.from, p.x.to = plotLeft, plotWidth-plotRight
	p.y.from, p.y.to = plotHeight-plotBottom, plotTop
	b := new(strings.Builder)
	fmt.Fprintf(b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(p.title))
	for _, t := range p.y.ticks {
		y := p.y.place(t.value)
		fmt.Fprintf(b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="tick" x="%g" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, plotWidth-plotRight, y, y, plotLeft-8, y+4, html.EscapeString(t.label))
	}
	for _, t := range p.x.ticks {
		x, anchor := p.x.place(t.value), "middle"
		if x > plotWidth-2*plotRight {
			anchor = "end" // within the plot
		}
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/><text class="tick" x="%.1f" y="%g" text-anchor="%s">%s</text>`,
			x, x, plotTop, plotHeight-plotBottom, x, plotHeight-plotBottom+18, anchor, html.EscapeString(t.label))
	}
	for _, s := range p.series {
		p.draw(b, s)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // built above, with all text escaped
}

// draw writes one series: its pieces between breaks, and the hover texts.
func (p *plot) draw(b *strings.Builder, s series) {
	var piece []string
	flush := func(lastX float64) {
		if len(piece) > 0 && s.area {
			first, _, _ := strings.Cut(piece[0], ",")
			fmt.Fprintf(b, `<polygon class="%s area" points="%s %.1f,%.1f %s,%.1f"/>`, s.class, strings.Join(piece, " "), lastX, p.y.from, first, p.y.from)
		}
		if len(piece) > 0 {
			fmt.Fprintf(b, `<polyline class="%s" points="%s"/>`, s.class, strings.Join(piece, " "))
		}
		piece = nil
	}
	lastX := 0.0
	for i := range s.x {
		if math.IsNaN(s.y[i]) {
			flush(lastX)
			continue
		}
		lastX = p.x.place(s.x[i])
		piece = append(piece, fmt.Sprintf("%.1f,%.1f", lastX, p.y.place(s.y[i])))
		if len(s.hint) > 0 {
			fmt.Fprintf(b, `<circle class="%s dot" cx="%.1f" cy="%.1f" r="7"><title>%s</title></circle>`, s.class, lastX, p.y.place(s.y[i]), html.EscapeString(s.hint[i]))
		}
	}
	flush(lastX)
	// A polyline of a single point is invisible.
	if len(s.x) == 1 && !math.IsNaN(s.y[0]) {
		fmt.Fprintf(b, `<circle class="%s point" cx="%.1f" cy="%.1f" r="3"/>`, s.class, lastX, p.y.place(s.y[0]))
	}
}

// latencyAxis covers all values, with a tick per decade (at 1, 2 and 5 if there are few).
func latencyAxis(values []float64) axis {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if high == 0 {
		low, high = 1e5, 1e6
	}
	a := axis{low: math.Pow(10, math.Floor(math.Log10(low))), high: math.Pow(10, math.Ceil(math.Log10(high*1.0001))), log: true}
	steps := []float64{1}
	if a.high/a.low < 1001 {
		steps = []float64{1, 2, 5}
	}
	for decade := a.low; decade <= a.high*1.001; decade *= 10 {
		for _, s := range steps {
			if v := decade * s; v <= a.high*1.001 {
				a.ticks = append(a.ticks, tick{v, plainDuration(v)})
			}
		}
	}
	return a
}

// plainDuration labels a round number of nanoseconds.
func plainDuration(ns float64) string {
	switch {
	case ns < 999:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 999e3:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	case ns < 999e6:
		return fmt.Sprintf("%.0f ms", ns/1e6)
	}
	return fmt.Sprintf("%.0f s", ns/1e9)
}

// linearAxis covers 0 to high with four to eight round ticks.
func linearAxis(high float64, label func(float64) string) axis {
	if high <= 0 {
		high = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(high)))
	switch {
	case high/step < 2:
		step /= 5
	case high/step < 4:
		step /= 2
	}
	a := axis{high: math.Ceil(high/step-1e-9) * step}
	for v := 0.0; v <= a.high+step/2; v += step {
		a.ticks = append(a.ticks, tick{v, label(v)})
	}
	return a
}
