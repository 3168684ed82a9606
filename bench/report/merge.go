package report

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Merge adds up the results of several load generators that ran against one target
// at the same time. Histograms and counts add up. The merged run lasts from the
// earliest beginning to the latest end, so that runs that did not overlap do not
// add up to a rate that was never reached. Open and closed loops cannot be merged.
// The given results are not changed.
func Merge(results []*Result) (*Result, error) {
	if len(results) == 0 {
		return nil, errors.New("cannot merge reports: none given")
	}
	first := results[0]
	m := &Result{
		Format: Format, Plan: first.Plan, Started: first.Started,
		Counts: Counts{Status: map[string]int64{}}, Latency: NewHistogram(),
	}
	m.Plan.Connections, m.Plan.Stages = 0, nil
	end, due := first.Started, first.Started
	for i, r := range results {
		if r.Plan.Loop != first.Plan.Loop {
			return nil, fmt.Errorf("cannot merge reports: one is of an %s loop, one of a %s loop", OpenLoop, ClosedLoop)
		}
		if k := slices.IndexFunc(results[:i], r.sameRun); k >= 0 {
			return nil, fmt.Errorf("cannot merge reports: the %s and the %s are of the same run, which began at %s", ordinal(k), ordinal(i), r.Started.Format(time.RFC3339Nano))
		}
		if r.Started.Before(m.Started) {
			m.Started = r.Started
		}
		if e := r.Started.Add(seconds(r.Seconds)); e.After(end) {
			end = e
		}
		if e := r.Started.Add(seconds(r.dueSeconds())); e.After(due) {
			due = e
		}
	}
	m.Seconds = end.Sub(m.Started).Seconds()
	if m.Plan.Loop == OpenLoop {
		m.DueSeconds = due.Sub(m.Started).Seconds()
	}
	width := intervalWidth(results)
	for _, r := range results {
		m.add(r, width)
	}
	m.Plan.Stages = mergeStages(results)
	m.warnOfGaps(results)
	return m, nil
}

// intervalWidth returns the slot width of a merged run in seconds: the largest of the
// results' median interval lengths.
func intervalWidth(results []*Result) float64 {
	width := 0.0
	for _, r := range results {
		var lengths []float64
		for _, i := range r.Intervals {
			lengths = append(lengths, i.Seconds)
		}
		if slices.Sort(lengths); len(lengths) > 0 {
			width = max(width, lengths[len(lengths)/2])
		}
	}
	return width
}

// add adds one result to r, whose beginning and end are already set. The slots for its
// intervals are width seconds long.
func (r *Result) add(from *Result, width float64) {
	if from.Plan.Target != r.Plan.Target {
		r.warn(fmt.Sprintf("the merged runs had different targets: %s and %s", r.Plan.Target, from.Plan.Target))
	}
	if from.Plan.Names != "" && !strings.Contains(r.Plan.Names, from.Plan.Names) {
		r.Plan.Names = strings.TrimPrefix(r.Plan.Names+" + "+from.Plan.Names, " + ")
	}
	r.Plan.Connections += from.Plan.Connections
	r.Interrupted = r.Interrupted || from.Interrupted
	r.Machines = append(r.Machines, from.Machines...)
	r.Counts.add(from.Counts)
	for _, e := range from.Errors {
		r.Errors = addError(r.Errors, e)
	}
	r.Latency.Merge(from.Latency)
	r.Service = mergeHistograms(r.Service, from.Service)
	r.Lag = mergeHistograms(r.Lag, from.Lag)
	r.Shed = mergeHistograms(r.Shed, from.Shed)
	for _, o := range from.Operations {
		r.addOperation(o)
	}
	offset := from.Started.Sub(r.Started).Seconds()
	for _, i := range from.Intervals {
		r.addInterval(i, offset, width)
	}
	if from.Verified != nil {
		r.addVerified(*from.Verified)
	}
	r.Generator.CPUSeconds += from.Generator.CPUSeconds
	r.Generator.CPUShare = max(r.Generator.CPUShare, from.Generator.CPUShare)
	if r.Generator.Limited == "" {
		r.Generator.Limited = from.Generator.Limited
	}
	for _, w := range from.Warnings {
		r.warn(w)
	}
}

func (r *Result) warn(w string) {
	if !slices.Contains(r.Warnings, w) {
		r.Warnings = append(r.Warnings, w)
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

// mergeHistograms adds other to h and returns h, created if nil.
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

func (r *Result) addOperation(o Operation) {
	for i := range r.Operations {
		if have := &r.Operations[i]; have.Name == o.Name {
			have.Good += o.Good
			have.Failed += o.Failed
			have.Latency.Merge(o.Latency)
			return
		}
	}
	h := NewHistogram()
	h.Merge(o.Latency)
	o.Latency = h
	r.Operations = append(r.Operations, o)
}

// addInterval spreads the counts of an interval evenly over the slots that it covers.
// Its run began offset seconds into r. Its latencies go to the slot that holds its
// middle.
func (r *Result) addInterval(i Interval, offset, width float64) {
	if width <= 0 {
		return
	}
	// In slots. A boundary within a twentieth of a slot's edge counts as on the edge.
	begin, length := (offset+i.At)/width, i.Seconds/width
	first := math.Floor(begin + 0.05)
	slots := min(max(int(math.Ceil(begin+length-0.05)-first), 1), maxSlots)
	middle := min(max(int(math.Floor(begin+length/2)-first), 0), slots-1)
	var before Interval
	for n := range slots {
		until := i
		if n < slots-1 {
			share := (first + float64(n+1) - begin) / length
			until.Intended, until.Good, until.Failed = part(i.Intended, share), part(i.Good, share), part(i.Failed, share)
		}
		slot := r.slot((first+float64(n))*width, width)
		slot.Intended += until.Intended - before.Intended
		slot.Good += until.Good - before.Good
		slot.Failed += until.Failed - before.Failed
		slot.Seconds = max(slot.Seconds, min(offset+i.At+i.Seconds-slot.At, width))
		if n == middle {
			slot.Latency.Merge(i.Latency)
		}
		before = until
	}
}

// maxSlots limits the number of slots that one interval is spread over.
const maxSlots = 1000

func part(n int64, share float64) int64 { return int64(math.Round(float64(n) * share)) }

// slot returns the merged interval that begins at at, and creates it if there is none.
func (r *Result) slot(at, width float64) *Interval {
	k, _ := slices.BinarySearchFunc(r.Intervals, at-width/2, func(i Interval, at float64) int { return cmp.Compare(i.At, at) })
	if k == len(r.Intervals) || r.Intervals[k].At > at+width/2 {
		r.Intervals = slices.Insert(r.Intervals, k, Interval{At: at, Latency: NewCoarseHistogram()})
	}
	return &r.Intervals[k]
}

func (r *Result) addVerified(v Verified) {
	if r.Verified == nil {
		r.Verified = new(Verified)
	}
	r.Verified.Documents += v.Documents
	r.Verified.URLs += v.URLs
	r.Verified.Opened += v.Opened
	r.Verified.Signatures += v.Signatures
	r.Verified.Skipped += v.Skipped
	r.Verified.Failed += v.Failed
	if r.Verified.Example == "" {
		r.Verified.Example = v.Example
	}
}

// mergeStages adds up the rates of runs with the same stages, and returns nil for
// others, which have no common rate.
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

// warnOfGaps warns if the runs did not overlap for most of the time: their latencies
// were then measured under less load than the sum.
func (r *Result) warnOfGaps(results []*Result) {
	for _, one := range results {
		if one.Seconds < 0.9*r.Seconds {
			r.warn(fmt.Sprintf("the merged runs did not overlap: one lasted %.1f s of the %.1f s between the first one's beginning and the last one's end", one.Seconds, r.Seconds))
			return
		}
	}
}

// sameRun reports whether r and o report the same run: two processes do not begin in the same
// nanosecond and then use the same CPU time for the same answers.
func (r *Result) sameRun(o *Result) bool {
	return !r.Started.IsZero() && r.Started.Equal(o.Started) && r.Seconds == o.Seconds && r.Counts.Good == o.Counts.Good &&
		r.Counts.BytesIn == o.Counts.BytesIn && r.Generator.CPUSeconds == o.Generator.CPUSeconds
}

// ordinal returns the ordinal of index i, counted from 0.
func ordinal(i int) string {
	if i < 3 {
		return [...]string{"first", "second", "third"}[i]
	}
	return fmt.Sprintf("%dth", i+1)
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }
