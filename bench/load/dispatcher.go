package load

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"runtime"
	"sync"
	"time"

	"jobgate/bench/load/plan"
	"jobgate/bench/load/timer"
)

const (
	// queueLength is how many arrivals may wait for a connection outside the
	// schedule; more wait within it, at no cost.
	queueLength = 1024
	// batch is the shortest time between two wake-ups of the dispatcher: arrivals
	// closer together are sent together. It limits wake-ups to 20,000 a second.
	batch = 50 * time.Microsecond
	// lead is how much earlier than due the timer is set: the least that waking up
	// takes. If it takes less, the rest is spent yielding.
	lead = 20 * time.Microsecond
)

// dispatcher hands out an open loop's arrivals when they are due. One goroutine runs it; any may call later.
type dispatcher struct {
	run      *run
	queue    chan arrival
	arrivals *plan.Arrivals
	pick     *chooser
	timer    *timer.Timer
	end      time.Duration // no arrival is due from here on
	left     int64         // of a run by count, arrivals of the schedule to come

	next     arrival // of the schedule
	pending  bool    // next is valid
	mu       sync.Mutex
	thinking thinking      // steps whose device waits
	armed    time.Duration // when the timer wakes
	flows    int64         // flows of several steps, begun and not ended
	over     bool
	woken    time.Duration
}

// thinking is a heap of steps by their due time.
type thinking []arrival

func (t thinking) Len() int           { return len(t) }
func (t thinking) Less(i, j int) bool { return t[i].due < t[j].due }
func (t thinking) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *thinking) Push(x any)        { *t = append(*t, x.(arrival)) }
func (t *thinking) Pop() any {
	old := *t
	last := old[len(old)-1]
	*t = old[:len(old)-1]
	return last
}

func newDispatcher(r *run) (*dispatcher, error) {
	s, err := timer.New()
	if err != nil {
		return nil, err
	}
	d := &dispatcher{
		run: r, queue: make(chan arrival, queueLength), timer: s, end: r.end, left: r.plan.MaxArrivals(),
		arrivals: r.plan.Schedule(), pick: newChooser(r, 0, 1),
	}
	d.advance()
	return d, nil
}

// advance draws the schedule's next arrival. Those of the warm-up do not count.
func (d *dispatcher) advance() {
	due, ok := d.arrivals.Next()
	d.pending = ok && due < d.end && d.left > 0
	if !d.pending {
		return
	}
	if due >= d.run.plan.Warmup {
		d.left--
	}
	d.next = d.pick.arrival(due)
}

// dispatch hands out arrivals until the schedule is over or ctx is done, then waits until the queue is empty or the grace is
// over, and closes the queue. It returns the number of arrivals of the measured part that found no free connection.
func (d *dispatcher) dispatch(ctx context.Context) (missed int64, err error) {
	defer close(d.queue)
	stop := context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.over {
			d.timer.Arm(1)
		}
	})
	defer stop()
	grace := newGrace(d.run)
	defer grace.stop()
	for {
		a, ok, err := d.wait(ctx)
		if err != nil || !ok {
			d.finish()
			return d.drain(ctx, grace), err
		}
		d.run.countDue(a.due, a.step > 0)
		if !d.hand(ctx, grace, a) {
			d.finish()
			return d.miss(ctx, a), nil
		}
	}
}

// wait returns the next arrival at its due time; ok is false when there is none.
func (d *dispatcher) wait(ctx context.Context) (a arrival, ok bool, err error) {
	for {
		d.mu.Lock()
		now := d.run.clock.now()
		if ctx.Err() != nil || d.ended(now) {
			d.mu.Unlock()
			return arrival{}, false, nil
		}
		due, planned := d.earliest()
		if due <= now {
			a = d.take(planned)
			d.mu.Unlock()
			return a, true, nil
		}
		d.armed = max(due, d.woken+batch)
		early := d.armed-now <= lead
		if !early {
			d.timer.Arm(d.armed - lead - now)
		}
		d.mu.Unlock()
		if early {
			runtime.Gosched()
			continue
		}
		if err := d.timer.Wait(); err != nil {
			return arrival{}, false, err
		}
		d.woken = d.run.clock.now()
	}
}

// ended reports whether nothing more will be due; d.mu is held.
func (d *dispatcher) ended(now time.Duration) bool {
	if d.pending || len(d.thinking) > 0 {
		return false
	}
	// Flows that have begun continue, in a run by count to their own end.
	return d.flows == 0 || now >= d.end
}

// earliest returns when the next arrival is due, and whether it is the schedule's; d.mu is held.
func (d *dispatcher) earliest() (due time.Duration, planned bool) {
	switch {
	case len(d.thinking) > 0 && (!d.pending || d.thinking[0].due < d.next.due):
		return d.thinking[0].due, false
	case d.pending:
		return d.next.due, true
	}
	return d.end, false // unless a flow in progress schedules a step or ends before
}

// take removes the next arrival; d.mu is held.
func (d *dispatcher) take(planned bool) arrival {
	if !planned {
		return heap.Pop(&d.thinking).(arrival)
	}
	a := d.next
	if len(d.run.flows[a.flow].Steps) > 1 {
		d.flows++
	}
	d.advance()
	return a
}

// later schedules the next step of a flow of several steps, or ends the flow if there is none.
func (d *dispatcher) later(a arrival, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	wake := a.due
	if more {
		heap.Push(&d.thinking, a)
	} else if d.flows--; d.flows > 0 || d.pending {
		return
	} else {
		wake = 0 // the last flow of the run has ended
	}
	if wake < d.armed {
		d.armed = wake
		d.timer.Arm(wake - d.run.clock.now())
	}
}

// hand passes an arrival to a free connection, and waits for one until the grace is over.
func (d *dispatcher) hand(ctx context.Context, grace *grace, a arrival) bool {
	select {
	case d.queue <- a: // Fast path: there is room.
		return true
	default:
	}
	select {
	case d.queue <- a:
		return true
	case <-ctx.Done():
	case <-grace.over:
	}
	return false
}

// miss counts a and all other due arrivals that were not handed out.
func (d *dispatcher) miss(ctx context.Context, a arrival) (missed int64) {
	until := d.end
	if ctx.Err() != nil {
		until = d.run.clock.now()
	}
	d.mu.Lock()
	d.over = true
	for d.pending && d.next.due < until {
		d.run.countDue(d.next.due, false)
		missed += b2i(d.next.due >= d.run.plan.Warmup)
		d.advance()
	}
	for _, t := range d.thinking {
		if t.due < until {
			d.run.countDue(t.due, true)
			missed += b2i(t.due >= d.run.plan.Warmup)
		}
	}
	d.mu.Unlock()
	return missed + b2i(a.due >= d.run.plan.Warmup) + d.empty()
}

// drain waits until the queue is empty, and counts what is left when the grace is over.
func (d *dispatcher) drain(ctx context.Context, grace *grace) int64 {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(d.queue) > 0 {
		select {
		case <-tick.C:
			continue
		case <-grace.over:
		case <-ctx.Done():
		}
		return d.empty()
	}
	return 0
}

// empty removes all arrivals from the queue.
func (d *dispatcher) empty() (missed int64) {
	for {
		select {
		case a := <-d.queue:
			missed += b2i(a.due >= d.run.plan.Warmup)
		default:
			return missed
		}
	}
}

// finish cancels all scheduled steps.
func (d *dispatcher) finish() {
	d.mu.Lock()
	d.over = true
	d.mu.Unlock()
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// errUnsent is the error of arrivals that found no free connection.
var errUnsent = errors.New("no connection was free until one timeout after the run's end: the target is too slow, or --connections too small, for this rate")

// grace is how long after its end a run continues to hand out arrivals that were due before: one timeout.
type grace struct {
	over  <-chan time.Time
	timer *time.Timer
}

func newGrace(r *run) *grace {
	if r.end == math.MaxInt64 {
		return &grace{}
	}
	t := time.NewTimer(r.end - r.clock.now() + r.plan.Timeout)
	return &grace{t.C, t}
}

func (g *grace) stop() {
	if g.timer != nil {
		g.timer.Stop()
	}
}
