package bench

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"jobgate/bench/load"
	"jobgate/bench/report"
)

// barWidth is the progress bar's, in characters.
const barWidth = 24

// progress shows how a run goes in one line of a terminal. On anything else it writes
// nothing.
type progress struct {
	w      io.Writer // nil: nothing is shown
	length int       // of the line shown
}

func newProgress(w io.Writer, quiet bool) *progress {
	f, ok := w.(*os.File)
	if quiet || !ok || !isatty.IsTerminal(f.Fd()) {
		return new(progress)
	}
	return &progress{w: w}
}

// show replaces the line.
func (p *progress) show(l load.Live) {
	if p.w == nil {
		return
	}
	line := barLine(l)
	pad := max(p.length-len([]rune(line)), 0)
	p.length = len([]rune(line))
	// A terminal that does not take the bar must not end the run.
	_, _ = fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", pad))
}

// clear removes the line.
func (p *progress) clear() {
	if p.w != nil && p.length > 0 {
		_, _ = fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.length))
	}
}

// barLine is the bar with its figures.
func barLine(l load.Live) string {
	if l.Warmup {
		return fmt.Sprintf("warming up, %s to go", (-l.Elapsed).Round(time.Second))
	}
	done, of := 0.0, ""
	switch {
	case l.Count > 0:
		done = float64(l.Good+l.Failed) / float64(l.Count)
		of = fmt.Sprintf("%s/%s", report.Count(l.Good+l.Failed), report.Count(l.Count))
	case l.Total > 0:
		done = l.Elapsed.Seconds() / l.Total.Seconds()
		of = fmt.Sprintf("%.0f/%.0f s", l.Elapsed.Seconds(), l.Total.Seconds())
	}
	full := int(min(max(done, 0), 1) * barWidth)
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	return fmt.Sprintf("%s %s  %s  p50 %s  p99 %s  errors %s", bar, of, report.Rate(l.Rate), report.Duration(l.P50), report.Duration(l.P99), report.Count(l.Failed))
}
