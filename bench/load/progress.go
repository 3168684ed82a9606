package load

import (
	"time"

	"jobgate/bench/load/plan"

	"jobgate/bench/report"
)

// watch ends the intervals on time, and reports the progress, until the run is over.
func (r *run) watch(over <-chan struct{}) {
	for next := time.Duration(0); next < r.plan.Warmup; next += time.Second {
		r.report(plan.Progress{})
		if !r.sleep(min(next+time.Second, r.plan.Warmup), over) {
			return
		}
	}
	cpu, begun := cpuTime(), r.clock.now()
	used := func() { r.cpu, r.wall = cpuTime()-cpu, r.clock.now()-begun }
	var progress plan.Progress
	recent := newRecent()
	for next := r.plan.Warmup + r.recorder.tick(); r.sleep(next, over); next += r.recorder.tick() {
		recent.add(r.recorder.rotate(r.clock.now()), &progress)
		if r.wall == 0 && r.clock.now() >= r.end {
			used() // what follows is waiting for answers
		}
		if recent.seconds >= 0.5 {
			recent.summarise(&progress)
			r.report(progress)
			recent = newRecent()
		}
	}
	r.recorder.rotate(r.clock.now())
	if r.wall == 0 {
		used()
	}
}

// recent sums up the intervals since the progress bar was last drawn.
type recent struct {
	latency *report.Histogram
	good    int64
	seconds float64
}

func newRecent() *recent { return &recent{latency: report.NewCoarseHistogram()} }

func (c *recent) add(i report.Interval, p *plan.Progress) {
	c.latency.Merge(i.Latency)
	c.good += i.Good
	c.seconds += i.Seconds
	p.Good += i.Good
	p.Failed += i.Failed
}

func (c *recent) summarise(p *plan.Progress) {
	p.Timed = c.latency.Count()
	p.Rate, p.P50, p.P99 = float64(c.good)/c.seconds, c.latency.Percentile(50), c.latency.Percentile(99)
}

// sleep waits until a moment of the run; it returns false when the run is over.
func (r *run) sleep(until time.Duration, over <-chan struct{}) bool {
	t := time.NewTimer(until - r.clock.now())
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-over:
		return false
	}
}

// tell reports the progress.
func (r *run) report(p plan.Progress) {
	if r.plan.OnProgress == nil {
		return
	}
	now := r.clock.now()
	p.Elapsed, p.Total, p.Warmup, p.Count = now-r.plan.Warmup, r.plan.Duration, now < r.plan.Warmup, r.plan.Count
	if p.Count > 0 {
		p.Done = r.counted(p.Good + p.Failed)
	}
	r.plan.OnProgress(p)
}

// counted returns how many of a run by count are done: answered requests or, where a
// flow has several steps, flows that were begun.
func (r *run) counted(answered int64) int64 {
	for _, f := range r.flows {
		if len(f.Steps) < 2 {
			continue
		}
		if !r.plan.Open() {
			return min(r.tickets.Load(), r.plan.Count)
		}
		r.recorder.mu.Lock()
		defer r.recorder.mu.Unlock()
		return r.plan.Count - r.recorder.planned.Left()
	}
	return answered
}
