package report

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHistogramPercentiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h, coarse := NewHistogram(), NewCoarseHistogram()
	var values []time.Duration
	for range 50_000 {
		d := time.Duration(math.Exp(rng.NormFloat64()*2) * float64(time.Millisecond))
		values = append(values, d)
		h.Record(d)
		coarse.Record(d)
	}
	slices.Sort(values)
	for _, p := range []float64{1, 50, 90, 99, 99.9, 99.99} {
		want := values[int(math.Round(p/100*float64(len(values))))-1]
		near := func(got time.Duration, tolerance float64) bool {
			return math.Abs(float64(got-want)) <= tolerance*float64(want)+64
		}
		if got := h.Percentile(p); !near(got, 0.001) {
			t.Errorf("p%g is %s, want %s within 0.1 %%", p, got, want)
		}
		if got := coarse.Percentile(p); !near(got, 0.01) {
			t.Errorf("coarse p%g is %s, want %s within 1 %%", p, got, want)
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	h := NewHistogram()
	if h.Percentile(50) != 0 || h.Max() != 0 || h.Min() != 0 || h.Mean() != 0 {
		t.Error("an empty histogram has values")
	}
	h.Record(-time.Second)
	h.Record(100 * time.Hour)
	if h.Count() != 2 || h.Min() != 0 || h.Max() != MaxLatency {
		t.Errorf("%d values from %s to %s, want 2 from 0 to %s", h.Count(), h.Min(), h.Max(), MaxLatency)
	}
	var none *Histogram
	if none.Count() != 0 {
		t.Error("a nil histogram has values")
	}
	h.Merge(nil)
	h.Reset()
	if h.Count() != 0 {
		t.Error("a reset histogram has values")
	}
}

func TestHistogramJSON(t *testing.T) {
	for _, h := range []*Histogram{NewHistogram(), NewCoarseHistogram()} {
		for i := range 10_000 {
			h.Record(time.Duration(i*i) * time.Nanosecond)
		}
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		back := new(Histogram)
		if err := json.Unmarshal(text, back); err != nil {
			t.Fatal(err)
		}
		if !back.hdr.Equals(h.hdr) {
			t.Error("a histogram read back from JSON differs")
		}
	}
}

func TestHistogramJSONRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), new(Histogram)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error with %q", text, err, want)
		}
	}
	good, err := json.Marshal(NewHistogram())
	if err != nil {
		t.Fatal(err)
	}
	f(`{"count":0,"hdr":"rubbish"}`, "cannot decode a histogram")
	f(`{"count":0}`, "cannot decode a histogram")
	f(strings.Replace(string(good), `"count":0`, `"count":7`, 1), "its count says 7")
}
