package bench

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"jobgate/bench/load/plan"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-isatty"

	"jobgate/bench/report"
)

// barWidth is the progress bar's width in characters. leastWidth is the width assumed for
// a terminal that is narrower or has no known width.
const barWidth, leastWidth = 24, 20

// progress shows a run's progress in one line of a terminal. If the output is not a
// terminal, it writes nothing.
type progress struct {
	w      io.Writer  // nil: nothing is shown
	width  func() int // of the terminal, in characters; called each time, as it may change
	length int        // of the line shown
}

func newProgress(w io.Writer, quiet bool) *progress {
	f, ok := w.(*os.File)
	if quiet || !ok || !isatty.IsTerminal(f.Fd()) {
		return new(progress)
	}
	return &progress{w: w, width: func() int { return terminalWidth(f) }}
}

// show replaces the line.
func (p *progress) show(l plan.Progress) {
	if p.w == nil {
		return
	}
	line := barLine(l, max(p.width(), leastWidth)-1) // a full last column may wrap the line
	pad := max(p.length-len([]rune(line)), 0)
	p.length = len([]rune(line))
	// A failed write to the terminal must not end the run.
	_, _ = fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", pad))
}

// clear removes the line.
func (p *progress) clear() {
	if p.w != nil && p.length > 0 {
		_, _ = fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.length))
	}
}

// barLine is the bar with its figures, in at most width characters: first the bar
// shrinks, then the last figures are dropped.
func barLine(l plan.Progress, width int) string {
	if l.Warmup {
		return cut(fmt.Sprintf("warming up, %s to go", (-l.Elapsed).Round(time.Second)), width)
	}
	done, of := 0.0, ""
	switch {
	case l.Count > 0:
		done = float64(l.Done) / float64(l.Count)
		of = fmt.Sprintf("%s/%s", humanize.Comma(l.Done), humanize.Comma(l.Count))
	case l.Total > 0:
		done = l.Elapsed.Seconds() / l.Total.Seconds()
		of = fmt.Sprintf("%.0f/%.0f s", l.Elapsed.Seconds(), l.Total.Seconds())
	}
	latency := "no good answer"
	if l.Timed > 0 {
		latency = fmt.Sprintf("p50 %s  p99 %s", report.Duration(l.P50), report.Duration(l.P99))
	}
	figures := fmt.Sprintf("%s  %s  %s  errors %s", of, report.Rate(l.Rate), latency, humanize.Comma(l.Failed))
	bar := min(barWidth, width-utf8.RuneCountInString(figures)-1)
	if bar < 4 {
		return cut(figures, width)
	}
	full := int(min(max(done, 0), 1) * float64(bar))
	return strings.Repeat("█", full) + strings.Repeat("░", bar-full) + " " + figures
}

// cut returns the first width characters of s.
func cut(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width])
	}
	return s
}
