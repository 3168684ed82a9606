package report

import "time"

// rampSteps is how many steps a ramp is shown in.
const rampSteps = 10

// Step is a stretch of a run in which its rate was, or in a ramp nearly was, one.
type Step struct {
	From, To    float64 // the rates asked for, requests per second
	Offered     float64 // requests that fell due, per second
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

// Steps returns the steps of an open loop whose rate changed, lowest time first, and
// nil for all other runs. Answers are counted where they came in, so a step that did
// not keep up shows in those after it too.
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
			s.Offered += i.Seconds // the seconds seen; divided by below
		}
	}
}

// judge computes the steps' figures and whether each kept up, and leaves out the
// steps that no interval fell into.
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
		s.KeptUp = float64(s.good)+s.underWay(seen[0].latency.Mean()) >= 0.98*float64(s.intended) && s.ErrorShare < 0.01 && s.P99 <= limit
	}
	return seen
}

// underWay returns how many requests a target of that latency is answering at the
// step's end (Little's law): it has not failed to answer them.
func (s *Step) underWay(latency time.Duration) float64 {
	atEnd := s.Offered * 2 * s.To / (s.From + s.To)
	return atEnd * latency.Seconds()
}

// Knee returns the last step before the first that did not keep up, and whether
// there was such a one. A step keeps up if it has good answers to 98 % of what fell
// due, but for what is on its way at the first step's latency, fewer than 1 % errors,
// and a p99 of at most ten times the first step's, or 10 ms if that is more.
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
