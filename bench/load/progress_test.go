package load

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"
)

// A run by count counts flows, not requests.
func TestProgressCountsFlows(t *testing.T) {
	t.Parallel()
	for _, p := range []*plan.Plan{openPlan(t, serve(t, answerJSON), 200, 0), closedPlan(t, serve(t, answerJSON), 1, 0)} {
		p.Count = 300
		p.Flows[0].Steps = append(p.Flows[0].Steps, p.Flows[0].Steps[0], p.Flows[0].Steps[0])
		for i := range p.Flows[0].Steps {
			p.Flows[0].Steps[i].Name = string(rune('a' + i))
			p.Flows[0].Steps[i].Think = 2 * time.Millisecond
		}
		var most, calls atomic.Int64
		p.OnProgress = func(l plan.Progress) {
			most.Store(max(most.Load(), l.Done))
			calls.Add(1)
		}
		if res := mustRun(t, p); res.Counts.Good != 900 {
			t.Errorf("%d good answers, want 900", res.Counts.Good)
		}
		if calls.Load() == 0 || most.Load() == 0 || most.Load() > 300 {
			t.Errorf("in %d calls up to %d of 300 flows are done", calls.Load(), most.Load())
		}
	}
}

// A long run, whose intervals are long, still reports its progress often.
func TestProgressOfALongRun(t *testing.T) {
	t.Parallel()
	p := openPlan(t, serve(t, answerJSON), 200, 2*time.Hour)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var calls atomic.Int64
	p.OnProgress = func(l plan.Progress) {
		if calls.Add(1); l.Good > 0 {
			cancel()
		}
	}
	if _, err := Run(ctx, p); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("in a minute the run reported its progress %d times, but no answer", calls.Load())
	}
}

// Progress reports that are shorter than an interval are merged into one interval of the report.
func TestIntervalsOfALongRun(t *testing.T) {
	p := openPlan(t, "http://h", 200, 10*time.Minute)
	r := newRecorder(p, []string{"request"})
	for k := range 50 {
		r.record(0, &sample{due: time.Duration(k) * time.Second, done: time.Duration(k) * time.Second, kind: answer.Good})
		late := time.Duration(k%3) * time.Millisecond // as a timer is
		if i := r.rotate(time.Duration(k+1)*time.Second + late); i.Good != 1 || i.Seconds > 1.01 {
			t.Errorf("the %dth second has %d good answers in %g s", k+1, i.Good, i.Seconds)
		}
	}
	if len(r.intervals) != 10 {
		t.Errorf("%d intervals, want 10", len(r.intervals))
	}
	for k, i := range r.intervals {
		if i.Good != 5 || i.Latency.Count() != 5 || math.Abs(i.Seconds-5) > 0.01 || math.Abs(i.At-float64(5*k)) > 0.01 {
			t.Errorf("interval %d begins at %g s, lasts %g s and has %d good answers and %d latencies; want 5 of each", k, i.At, i.Seconds, i.Good, i.Latency.Count())
		}
	}
}
