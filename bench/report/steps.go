package report

import "time"

// rampSteps is the number of steps that a ramp is divided into.
const rampSteps = 10

// Step is a part of a run with a constant rate or, in a ramp, a nearly constant one.
type Step struct {
	From, To    float64 // the planned rates, requests per second
	Offered     float64 // requests due, per second
	Good        float64 // good answers, per second
	P50, P99    time.Duration
	ErrorShare  float64
	KeptUp      bool // see Knee
	at, seconds float64
	intended    int64
	good        int64
	failed      int64
	latency     *Histogram
}

// Steps returns the steps of an open loop whose rate changed, earliest first, and nil
// for all other runs. An answer counts in the step in which it arrived, so a step that
// did not keep up also affects the steps after it.
func (r *Result) Steps() []Step {
	var steps []Step
	at := 0.0
	for _, s := range r.Plan.Stages {
		length := s.Seconds
		if length == 0 {
			length = max(r.Seconds-at, 0)
		}
		parts := 1
		if s.From != s.To {
			parts = rampSteps
		}
		for i := range parts {
			f, w := float64(i)/float64(parts), 1/float64(parts)
			steps = append(steps, Step{
				From: s.From + f*(s.To-s.From), To: s.From + (f+w)*(s.To-s.From),
				at: at + f*length, seconds: w * length, latency: NewCoarseHistogram(),
			})
		}
		at += length
	}
	if len(steps) < 2 {
		return nil
	}
	r.fillSteps(steps)
	return judge(steps)
}

// fillSteps adds each interval to the step that holds its middle.
func (r *Result) fillSteps(steps []Step) {
	for _, i := range r.Intervals {
		middle := i.At + i.Seconds/2
		for k := range steps {
			s := &steps[k]
			if middle < s.at || middle >= s.at+s.seconds {
				continue
			}
			s.intended += i.Intended
			s.good += i.Good
			s.failed += i.Failed
			s.latency.Merge(i.Latency)
			s.Offered += i.Seconds // seconds covered, until judge computes the rate
		}
	}
}

// judge computes the steps' figures and whether each kept up. It omits steps that hold
// no interval.
func judge(steps []Step) []Step {
	var seen []Step
	for _, s := range steps {
		covered := s.Offered
		if covered == 0 {
			continue
		}
		s.Offered = perSecond(s.intended, covered)
		s.Good = perSecond(s.good, covered)
		s.P50, s.P99 = s.latency.Percentile(50), s.latency.Percentile(99)
		if n := s.good + s.failed; n > 0 {
			s.ErrorShare = float64(s.failed) / float64(n)
		}
		seen = append(seen, s)
	}
	for i := range seen {
		s := &seen[i]
		limit := 10 * max(seen[0].P99, time.Millisecond)
		s.KeptUp = float64(s.good)+s.inFlight(seen[0].latency.Mean()) >= 0.98*float64(s.intended) && s.ErrorShare < 0.01 && s.P99 <= limit
	}
	return seen
}

// inFlight returns how many requests are in flight at the step's end for a target of that
// latency (Little's law). They do not count as unanswered.
func (s *Step) inFlight(latency time.Duration) float64 {
	atEnd := s.Offered * 2 * s.To / (s.From + s.To)
	return atEnd * latency.Seconds()
}

// Knee returns the last step before the first that did not keep up, and whether any did
// not keep up. If it was the first, the returned step is zero. A step keeps up if
// it has good answers to 98 % of the requests due, apart from those in flight at the
// first step's latency, fewer than 1 % errors, and a p99 of at most ten times the first
// step's, or 10 ms if that is more.
func Knee(steps []Step) (knee Step, found bool) {
	for i, s := range steps {
		if !s.KeptUp {
			if i == 0 {
				return Step{}, true
			}
			return steps[i-1], true
		}
	}
	return Step{}, false
}
