package load

import (
	"sync/atomic"
	"testing"
	"time"
)

// A run by count counts flows, not the requests they are of.
func TestLiveCountsFlows(t *testing.T) {
	t.Parallel()
	for _, p := range []*Plan{openPlan(t, serve(t, answerJSON), 200, 0), closedPlan(t, serve(t, answerJSON), 1, 0)} {
		p.Count = 300
		p.Flows[0].Steps = append(p.Flows[0].Steps, p.Flows[0].Steps[0], p.Flows[0].Steps[0])
		for i := range p.Flows[0].Steps {
			p.Flows[0].Steps[i].Name = string(rune('a' + i))
			p.Flows[0].Steps[i].Think = 2 * time.Millisecond
		}
		var most, calls atomic.Int64
		p.OnInterval = func(l Live) {
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
