package report

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Merge adds up the results of several load generators that ran against one target
// at the same time. Histograms and counts add; the merged run lasts from the first
// one's beginning to the last one's end, so that runs that did not overlap do not
// add up to a rate that never was. Open and closed loops do not mix. The results
// given are left as they are.
func Merge(results []*Result) (*Result, error) {
	if len(results) == 0 {
		return nil, errors.New("cannot merge reports: there are none")
	}
	first := results[0]
	m := &Result{
		Format: Format, Plan: first.Plan, Started: first.Started,
		Counts: Counts{Status: map[string]int64{}}, Latency: NewHistogram(),
	}
	m.Plan.Connections, m.Plan.Stages = 0, nil
	end := first.Started
	for _, r := range results {
		if r.Plan.Loop != first.Plan.Loop {
			return nil, fmt.Errorf("cannot merge reports: one is of an %s loop, one of a %s loop", OpenLoop, ClosedLoop)
		}
		if r.Started.Before(m.Started) {
			m.Started = r.Started
		}
		if e := r.Started.Add(seconds(r.Seconds)); e.After(end) {
			end = e
		}
	}
	m.Seconds = end.Sub(m.Started).Seconds()
	width := intervalWidth(results)
	for _, r := range results {
		m.add(r, width)
	}
	m.Plan.Stages = mergeStages(results)
	m.warnOfGaps(results)
	return m, nil
}

// intervalWidth returns the longest interval of all, in seconds: a merged run's slots.
func intervalWidth(results []*Result) float64 {
	width := 0.0
	for _, r := range results {
		for _, i := range r.Intervals {
			width = max(width, i.Seconds)
		}
	}
	return width
}

// add adds one result to m, whose beginning and end are known. The slots that its
// intervals fall into are width seconds long.
func (m *Result) add(r *Result, width float64) {
	if r.Plan.Target != m.Plan.Target {
		m.warn(fmt.Sprintf("the merged runs had different targets: %s and %s", m.Plan.Target, r.Plan.Target))
	}
	m.Plan.Connections += r.Plan.Connections
	m.Interrupted = m.Interrupted || r.Interrupted
	m.Machines = append(m.Machines, r.Machines...)
	m.Counts.add(r.Counts)
	for _, e := range r.Errors {
		m.Errors = addError(m.Errors, e)
	}
	m.Latency.Merge(r.Latency)
	m.Service = mergeHistograms(m.Service, r.Service)
	m.Lag = mergeHistograms(m.Lag, r.Lag)
	for _, o := range r.Operations {
		m.addOperation(o)
	}
	offset := r.Started.Sub(m.Started).Seconds()
	for _, i := range r.Intervals {
		m.addInterval(i, offset, width)
	}
	if r.Verified != nil {
		m.addVerified(*r.Verified)
	}
	m.Generator.CPUSeconds += r.Generator.CPUSeconds
	m.Generator.CPUShare = max(m.Generator.CPUShare, r.Generator.CPUShare)
	if m.Generator.Limited == "" {
		m.Generator.Limited = r.Generator.Limited
	}
	for _, w := range r.Warnings {
		m.warn(w)
	}
}

func (m *Result) warn(w string) {
	if !slices.Contains(m.Warnings, w) {
		m.Warnings = append(m.Warnings, w)
	}
}

func (c *Counts) add(o Counts) {
	c.Intended += o.Intended
	c.Sent += o.Sent
	c.Good += o.Good
	c.Failed += o.Failed
	c.Abandoned += o.Abandoned
	c.Waited += o.Waited
	c.Skipped += o.Skipped
	for code, n := range o.Status {
		c.Status[code] += n
	}
	c.BytesIn += o.BytesIn
	c.BytesOut += o.BytesOut
	c.Connects += o.Connects
	c.Reconnects += o.Reconnects
	c.Handshakes += o.Handshakes
	c.Resumed += o.Resumed
}

func addError(all []Error, e Error) []Error {
	for i := range all {
		if all[i].Kind == e.Kind {
			all[i].Count += e.Count
			return all
		}
	}
	return append(all, e)
}

// mergeHistograms adds other to h, which it makes if there is none.
func mergeHistograms(h, other *Histogram) *Histogram {
	if other == nil {
		return h
	}
	if h == nil {
		h = NewHistogram()
	}
	h.Merge(other)
	return h
}

func (m *Result) addOperation(o Operation) {
	for i := range m.Operations {
		if have := &m.Operations[i]; have.Name == o.Name {
			have.Good += o.Good
			have.Failed += o.Failed
			have.Latency.Merge(o.Latency)
			return
		}
	}
	h := NewHistogram()
	h.Merge(o.Latency)
	o.Latency = h
	m.Operations = append(m.Operations, o)
}

// addInterval adds an interval of a run that began offset seconds into m to the slot
// that holds its middle.
func (m *Result) addInterval(i Interval, offset, width float64) {
	if width <= 0 {
		return
	}
	at := math.Floor((offset+i.At+i.Seconds/2)/width) * width
	for k := range m.Intervals {
		if have := &m.Intervals[k]; math.Abs(have.At-at) < width/2 {
			have.Intended += i.Intended
			have.Good += i.Good
			have.Failed += i.Failed
			have.Latency.Merge(i.Latency)
			have.Seconds = max(have.Seconds, i.Seconds)
			return
		}
	}
	h := NewCoarseHistogram()
	h.Merge(i.Latency)
	i.At, i.Latency = at, h
	m.Intervals = append(m.Intervals, i)
	slices.SortFunc(m.Intervals, func(a, b Interval) int { return cmp.Compare(a.At, b.At) })
}

func (m *Result) addVerified(v Verified) {
	if m.Verified == nil {
		m.Verified = new(Verified)
	}
	m.Verified.Documents += v.Documents
	m.Verified.URLs += v.URLs
	m.Verified.Opened += v.Opened
	m.Verified.Signatures += v.Signatures
	m.Verified.Failed += v.Failed
	if m.Verified.Example == "" {
		m.Verified.Example = v.Example
	}
}

// mergeStages adds up the rates of runs that had the same stages; of others there
// is no common rate to state.
func mergeStages(results []*Result) []Stage {
	sum := slices.Clone(results[0].Plan.Stages)
	for _, r := range results[1:] {
		if len(r.Plan.Stages) != len(sum) {
			return nil
		}
		for i, s := range r.Plan.Stages {
			if s.Seconds != sum[i].Seconds {
				return nil
			}
			sum[i].From += s.From
			sum[i].To += s.To
		}
	}
	return sum
}

// warnOfGaps says so when the runs did not overlap for most of the time: their
// latencies then belong to less load than the sum.
func (m *Result) warnOfGaps(results []*Result) {
	for _, r := range results {
		if r.Seconds < 0.9*m.Seconds {
			m.warn(fmt.Sprintf("the merged runs did not overlap: one lasted %.1f s of the %.1f s between the first one's beginning and the last one's end", r.Seconds, m.Seconds))
			return
		}
	}
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
