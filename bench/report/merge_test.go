package report

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMerge(t *testing.T) {
	a := sampleResult(1000, time.Millisecond, 2*time.Millisecond)
	b := sampleResult(3000, 10*time.Millisecond, 20*time.Millisecond)
	b.Started = b.Started.Add(500 * time.Millisecond)
	b.Errors = []Error{{"timeout", 2, "slow"}}
	b.Counts.Failed = 2
	a.Operations = []Operation{{"poll", 1000, 0, NewHistogram()}}
	b.Operations = []Operation{{"poll", 2000, 0, NewHistogram()}, {"update", 1000, 0, NewHistogram()}}
	b.Shed = NewHistogram()
	b.Shed.Record(time.Millisecond)
	before := text(t, a)
	m, err := Merge([]*Result{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if text(t, a) != before {
		t.Error("merging changed a report")
	}
	if m.Counts.Good != 4000 || m.Counts.Failed != 2 || m.Counts.Status["200"] != 4000 || m.Plan.Connections != 8 || len(m.Machines) != 2 {
		t.Errorf("the merged counts are %+v, %d connections, %d machines", m.Counts, m.Plan.Connections, len(m.Machines))
	}
	if math.Abs(m.Seconds-10.5) > 1e-9 || math.Abs(m.Rate()-4000/10.5) > 1e-6 {
		t.Errorf("the merged run took %g s at %g/s, want 10.5 s", m.Seconds, m.Rate())
	}
	// A quarter of the answers are a's: percentiles are of the union, not a mean.
	if p := m.Latency.Percentile(24); p > 2*time.Millisecond {
		t.Errorf("p24 is %s, want a latency of the faster run", p)
	}
	if p := m.Latency.Percentile(26); p < 10*time.Millisecond {
		t.Errorf("p26 is %s, want a latency of the slower run", p)
	}
	if m.Shed == nil || m.Shed.Count() != 1 || !strings.Contains(text(t, m), "turned away") || strings.Contains(before, "turned away") {
		t.Errorf("the merged report has shed requests %v:\n%s", m.Shed, text(t, m))
	}
	if len(m.Operations) != 2 || m.Operations[0].Good != 3000 || m.Operations[1].Good != 1000 {
		t.Errorf("the operations are %+v", m.Operations)
	}
	var good int64
	for i, v := range m.Intervals {
		good += v.Good
		if i > 0 && v.At <= m.Intervals[i-1].At {
			t.Errorf("interval %d begins at %g, the one before at %g", i, v.At, m.Intervals[i-1].At)
		}
	}
	if good != 4000 || len(m.Intervals) != 11 {
		t.Errorf("%d intervals hold %d answers, want 11 with all 4000", len(m.Intervals), good)
	}
	if s := m.Plan.Stages; len(s) != 1 || s[0].From != 400 {
		t.Errorf("the merged rate is %+v, want the sum 400/s", s)
	}
}

func TestMergeRefusesAndWarns(t *testing.T) {
	open, closed := sampleResult(10, 1, 2), sampleResult(10, 1, 2)
	closed.Plan.Loop = ClosedLoop
	if _, err := Merge([]*Result{open, closed}); err == nil || !strings.Contains(err.Error(), "loop") {
		t.Errorf("merging an open and a closed loop: %v", err)
	}
	if _, err := Merge(nil); err == nil {
		t.Error("merging nothing gave a report")
	}
	open.Started, open.Generator.CPUSeconds = time.Now(), 1
	other, again := sampleResult(10, 1, 2), *open
	other.Started = open.Started // a run on another machine may begin at the same time
	other.Generator.CPUSeconds = 2
	if _, err := Merge([]*Result{open, other, &again}); err == nil || !strings.Contains(err.Error(), "the first and the third are of the same run") {
		t.Errorf("merging a report with itself: %v", err)
	}
	later := sampleResult(10, 1, 2)
	later.Started = later.Started.Add(time.Minute)
	later.Plan.Target = "http://other/path"
	later.Generator.Limited = "because"
	later.Plan.Stages = []Stage{{1, 1, 5}, {2, 2, 5}}
	m, err := Merge([]*Result{open, later})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(m.Title(), "open loop, Poisson arrivals (latency") {
		t.Errorf("the title of runs without a common rate is %q", m.Title())
	}
	all := strings.Join(m.Warnings, "\n")
	has(t, "the warnings", all, "did not overlap", "different targets")
	if m.Generator.Limited != "because" {
		t.Error("the merged report does not say that a generator was the bottleneck")
	}
}

func TestDiff(t *testing.T) {
	f := func(a, b *Result, want ...string) {
		t.Helper()
		var out strings.Builder
		if err := WriteDiff(&out, a, b); err != nil {
			t.Fatal(err)
		}
		has(t, "the comparison", out.String(), want...)
	}
	a, b := sampleResult(1000, 10*time.Millisecond, 10*time.Millisecond), sampleResult(1100, 5*time.Millisecond, 5*time.Millisecond)
	f(a, b, "100/s", "110/s", "+10.0 %", "-50.0 %", "p99.99")
	b.Plan.Stages, b.Plan.Connections, b.Interrupted = []Stage{{From: 300, To: 300}}, 77, true
	f(a, b, "arrivals, 300/s", "interrupted", "B  77 connections")
	b.Plan.Loop = ClosedLoop
	f(a, b, "their latencies cannot be compared")
	b.Generator.Limited = "It was late."
	f(a, b, "B: the generator was the bottleneck: It was late.")
}

// Two machines at a steady rate merge to a steady rate, wherever their intervals begin
// and however late some end.
func TestMergedIntervalsAreSteady(t *testing.T) {
	steady := func(rate int64, begins, width float64, late float64) *Result {
		r := sampleResult(1000, time.Millisecond, 2*time.Millisecond)
		r.Started, r.Intervals, r.Generator.CPUSeconds = r.Started.Add(seconds(begins)), nil, begins+width+late
		for at := 0.0; at < 9.999; {
			end := float64(len(r.Intervals)+1) * width
			if len(r.Intervals)%7 == 3 {
				end += late
			}
			n := int64(end*float64(rate)) - int64(at*float64(rate))
			r.Intervals = append(r.Intervals, Interval{At: at, Seconds: end - at, Intended: n, Good: n, Latency: NewCoarseHistogram()})
			at = end
		}
		return r
	}
	f := func(a, b *Result, from, to, want float64) {
		t.Helper()
		m, err := Merge([]*Result{a, b})
		if err != nil {
			t.Fatal(err)
		}
		var good int64
		for _, i := range m.Intervals {
			good += i.Good
			if rate := perSecond(i.Good, i.Seconds); i.At >= from && i.At+i.Seconds <= to && math.Abs(rate-want) > 0.1*want {
				t.Errorf("the rate at %.2f s is %.0f/s for %.2f s, want %.0f/s", i.At, rate, i.Seconds, want)
			}
		}
		var all int64
		for _, i := range append(slices.Clone(a.Intervals), b.Intervals...) {
			all += i.Good
		}
		if good != all {
			t.Errorf("the merged intervals hold %d answers of %d", good, all)
		}
	}
	f(steady(1000, 0, 0.1, 0), steady(1000, 0, 0.1, 0.04), 0, 10, 2000)
	f(steady(1000, 0, 0.1, 0.04), steady(1000, 0.05, 0.1, 0), 0.1, 10, 2000)
	f(steady(1000, 0, 0.1, 0), steady(1000, 0.35, 0.5, 0.1), 0.5, 10, 2000)
	f(steady(1000, 0, 0.1, 0), steady(1000, 20, 1, 0), 0, 10, 1000)
}
