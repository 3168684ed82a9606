package bench

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"jobgate/bench/load/plan"
)

// A line longer than the terminal's width would wrap, and each redraw would add a line.
func TestBarFits(t *testing.T) {
	t.Parallel()
	states := []plan.Progress{
		{Warmup: true, Elapsed: -2 * time.Second},
		{Elapsed: 5 * time.Second, Total: 10 * time.Second, Rate: 20000, Timed: 9, P50: time.Millisecond, P99: 12 * time.Millisecond},
		{Count: 1_000_000, Done: 500_000, Good: 2_000_000, Failed: 123_456, Rate: 123_456},
		{Elapsed: time.Hour, Total: time.Second},
	}
	for _, l := range states {
		for width := 20; width < 130; width++ {
			if line := barLine(l, width); utf8.RuneCountInString(line) > width || !utf8.ValidString(line) {
				t.Errorf("the line is longer than %d: %q", width, line)
			}
		}
	}
	if got := barLine(states[1], 100); !strings.HasPrefix(got, strings.Repeat("█", 12)+strings.Repeat("░", 12)+" 5/10 s  20,000/s") {
		t.Errorf("the line is %q, want a bar of 24, half full", got)
	}
	if got := barLine(states[1], 100); !strings.Contains(got, "  p50 1.00 ms  p99 12.0 ms  ") {
		t.Errorf("the line is %q, want its percentiles", got)
	}
	if got := barLine(states[2], 120); !strings.Contains(got, "  no good answer  ") || strings.Contains(got, "p50") {
		t.Errorf("the line is %q, want no latency", got)
	}
	if got := barLine(states[2], 120); !strings.Contains(got, " 500,000/1,000,000 ") {
		t.Errorf("the line is %q, want half of the flows done", got)
	}
}

func TestProgressUsesTheWidth(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	p := &progress{w: &b, width: func() int { return 40 }}
	p.show(plan.Progress{Total: time.Minute, Elapsed: time.Second})
	p.clear()
	for _, line := range strings.Split(b.String(), "\r") {
		if utf8.RuneCountInString(line) > 39 {
			t.Errorf("a line of at least 40 characters in a terminal of 40: %q", line)
		}
	}
}
