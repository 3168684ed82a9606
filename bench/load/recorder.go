package load

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"

	"jobgate/bench/report"
)

// sample is one finished request.
type sample struct {
	op       int
	kind     answer.Kind
	err      error // the failure; empty if good
	due      time.Duration
	sent     time.Duration // when it was handed to a connection
	free     time.Duration // when that connection had become free
	done     time.Duration
	status   int
	shed     bool // refused with Retry-After
	in, out  int64
	reopened bool // needed a new connection in place of an old one
}

// recorder adds up the samples of the measured part of a run.
type recorder struct {
	open    bool
	begin   time.Duration // of the measured part
	shards  []*shard
	due     atomic.Int64 // requests of the measured part that were dispatched or, closed loop, sent
	follow  atomic.Int64 // of them, in an open loop, later steps of a flow
	skipped atomic.Int64

	mu        sync.Mutex // of what follows: the rotation against the end
	intervals []report.Interval
	width     time.Duration
	planned   *plan.DueCounter // open loop
	seenDue   int64            // of due or, open loop, of follow
	rotated   time.Duration
	slot      time.Duration // of the last of intervals: its beginning in widths
}

// shard collects the samples of some of the workers, so that they do not wait for each other.
type shard struct {
	mu       sync.Mutex
	latency  *report.Histogram
	service  *report.Histogram // open loop
	lag      *report.Histogram // open loop
	shed     *report.Histogram
	ops      []report.Operation
	kinds    [answer.Kinds]int64
	examples [answer.Kinds]string
	status   [1000]int64
	sent     int64
	waited   int64
	in, out  int64
	reopened int64
	lastDue  time.Duration // when the last one was due
	last     time.Duration // when the last one was done
	lastGood time.Duration // when the last good one was
	slice    *slice
}

// slice is a shard's current interval.
type slice struct {
	latency      *report.Histogram
	good, failed int64
}

func newSlice() *slice { return &slice{latency: report.NewCoarseHistogram()} }

func newRecorder(p *plan.Plan, operations []string) *recorder {
	r := &recorder{open: p.Open(), begin: p.Warmup, width: intervalFor(p.Duration), rotated: p.Warmup}
	for range 2 * runtime.GOMAXPROCS(0) {
		s := &shard{latency: report.NewHistogram(), shed: report.NewHistogram(), slice: newSlice()}
		if r.open {
			s.service, s.lag = report.NewHistogram(), report.NewHistogram()
		}
		for _, name := range operations {
			o := report.Operation{Name: name}
			if len(operations) > 1 {
				o.Latency = report.NewHistogram()
			}
			s.ops = append(s.ops, o)
		}
		r.shards = append(r.shards, s)
	}
	return r
}

// record adds a sample, unless it belongs to the warm-up. It is safe for concurrent
// use, and allocates nothing for a good one.
func (r *recorder) record(shard int, s *sample) {
	if s.due < r.begin {
		return
	}
	if !r.open {
		r.due.Add(1)
	}
	sh := r.shards[shard%len(r.shards)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.kinds[s.kind]++
	sh.in += s.in
	sh.out += s.out
	sh.sent++
	sh.lastDue, sh.last = max(sh.lastDue, s.due), max(sh.last, s.done)
	if s.reopened {
		sh.reopened++
	}
	if s.status > 0 {
		sh.status[min(s.status, len(sh.status)-1)]++
	}
	if s.kind == answer.Abandoned {
		return
	}
	if s.kind != answer.Good && sh.examples[s.kind] == "" {
		sh.examples[s.kind] = answer.Example(answer.Explain(s.kind, s.err))
	}
	if s.kind == answer.Good {
		sh.lastGood = max(sh.lastGood, s.done)
		sh.slice.good++
		sh.ops[s.op].Good++
	} else {
		sh.slice.failed++
		sh.ops[s.op].Failed++
	}
	if s.kind == answer.Good || s.kind == answer.TimedOut || s.kind == answer.ConnectTimeout {
		sh.time(r.open, s)
	}
	if s.shed {
		sh.shed.Record(s.done - s.due)
	}
}

// time records how long a sample took; sh.mu is held.
func (sh *shard) time(open bool, s *sample) {
	latency := s.done - s.due
	sh.latency.Record(latency)
	sh.slice.latency.Record(latency)
	if o := &sh.ops[s.op]; o.Latency != nil {
		o.Latency.Record(latency)
	}
	if !open {
		return
	}
	sh.service.Record(s.done - s.sent)
	// The generator's own delay: the connection was free and the request due, but it was not
	// sent.
	sh.lag.Record(s.sent - max(s.due, s.free))
	if s.free > s.due {
		sh.waited++
	}
}

// fail counts requests of the measured part that were never sent.
func (r *recorder) fail(k answer.Kind, n int64, why error) {
	if n == 0 {
		return
	}
	sh := r.shards[0]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.kinds[k] += n
	if k != answer.Abandoned {
		sh.slice.failed += n
		sh.examples[k] = answer.Example(why)
	}
}

// maxIntervals is how many intervals a report may have; a longer run's are merged.
const maxIntervals = 600

// intervalFor returns how long the intervals of a run of that length are. Of a run by
// count (0) they are joined when they become too many.
func intervalFor(length time.Duration) time.Duration {
	for _, ms := range []time.Duration{100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000} {
		if d := ms * time.Millisecond; length > 0 && length/d <= 120 {
			return d
		}
	}
	if length > 0 {
		return (length / 120).Round(time.Second)
	}
	return 500 * time.Millisecond
}

// tick returns how often rotate is to be called: for long intervals, several times in each.
func (r *recorder) tick() time.Duration { return min(r.width, time.Second) }

// rotate ends the current interval, or a part of it, at now, and returns that. Its
// latencies are valid until the next call.
func (r *recorder) rotate(now time.Duration) report.Interval {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := report.Interval{At: (r.rotated - r.begin).Seconds(), Seconds: (now - r.rotated).Seconds(), Latency: report.NewCoarseHistogram()}
	due := &r.due
	if r.planned != nil {
		// The schedule counts the requests that were due: a dispatcher that waits for a free
		// connection removes them later.
		i.Intended, due = r.planned.UpTo(now), &r.follow
	}
	seen := due.Load()
	i.Intended, r.seenDue = i.Intended+seen-r.seenDue, seen
	for _, sh := range r.shards {
		fresh := newSlice()
		sh.mu.Lock()
		old := sh.slice
		sh.slice = fresh
		sh.mu.Unlock()
		i.Good += old.good
		i.Failed += old.failed
		i.Latency.Merge(old.latency)
	}
	slot := (r.rotated - r.begin) / r.width
	r.rotated = now
	switch n := len(r.intervals); {
	case n > 0 && slot == r.slot:
		extend(&r.intervals[n-1], i)
	// An empty interval is a stall and is kept, except at the end.
	case i.Good+i.Failed+i.Intended > 0 || i.Seconds >= r.tick().Seconds()/2:
		r.intervals, r.slot = append(r.intervals, i), slot
	}
	if len(r.intervals) >= maxIntervals {
		r.join()
	}
	return i
}

// join merges intervals in pairs.
func (r *recorder) join() {
	r.width *= 2
	r.slot /= 2
	joined := r.intervals[:0]
	for k, i := range r.intervals {
		if k%2 == 0 {
			joined = append(joined, i)
			continue
		}
		extend(&joined[len(joined)-1], i)
	}
	r.intervals = joined
}

// extend adds the interval that follows.
func extend(last *report.Interval, i report.Interval) {
	last.Seconds = i.At + i.Seconds - last.At
	last.Intended += i.Intended
	last.Good += i.Good
	last.Failed += i.Failed
	last.Latency.Merge(i.Latency)
}

// skip counts steps of the measured part that could not be sent.
func (r *recorder) skip(due time.Duration, n int64) {
	if due >= r.begin {
		r.skipped.Add(n)
	}
}

// last returns when the last request of the measured part was due, when the last was
// done, and when the last good one was, or 0.
func (r *recorder) last() (due, done, good time.Duration) {
	for _, sh := range r.shards {
		due, done, good = max(due, sh.lastDue), max(done, sh.last), max(good, sh.lastGood)
	}
	return due, done, good
}
