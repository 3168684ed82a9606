package report

import (
	"bytes"
	"testing"
	"time"
)

// A step or an operation without answers shows no latency, and a limited run shows none
// for any operation.
func TestRowsWithoutLatency(t *testing.T) {
	h := NewHistogram()
	h.Record(77 * time.Millisecond)
	r := &Result{
		Plan: Plan{Loop: OpenLoop, Stages: []Stage{{100, 100, 1}, {200, 200, 1}}}, Latency: h, Service: NewHistogram(), Lag: NewHistogram(),
		Operations: []Operation{{"poll", 1, 0, h}, {"update", 0, 1, NewHistogram()}},
		Intervals: []Interval{
			{At: 0, Seconds: 1, Intended: 100, Good: 100, Latency: h},
			{At: 1, Seconds: 1, Intended: 200, Latency: NewCoarseHistogram()},
		},
	}
	page := func() string {
		var b bytes.Buffer
		if err := r.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for what, got := range map[string]string{"the text": text(t, r), "the page": page()} {
		has(t, what, got, "77.0 ms")
		hasNot(t, what, got, "0.00 µs")
	}
	r.Generator.Limited = "It was late."
	for what, got := range map[string]string{"the limited text": text(t, r), "the limited page": page()} {
		has(t, what, got, "poll")
		hasNot(t, what, got, "77.0 ms", "77.1 ms")
	}
}
