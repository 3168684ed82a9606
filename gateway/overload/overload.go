// Package overload sheds load: while more requests arrive than the processors can serve, it rejects some, so that those it
// admits are answered in time.
//
// It measures delay, not the number of requests in flight: how long runnable goroutines wait for a processor, as the Go scheduler
// measures it, and by Little's law how many requests wait at once. Requests that wait for something else (an upstream, a
// source, a slow reader) cause no such delay, and a machine that is busy with other work while few requests arrive causes
// no shedding.
//
//	every few ms:   delay over Target, and many wait    admit a smaller fraction
//	                otherwise                           admit more again
//
// During overload, admitted requests with long work (signing a document) take turns, so that the others are
// rejected at once and the processors always have work: see Gate.Turn. A request that would wait too long for its turn is
// rejected too.
package overload

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// Gate decides which requests are admitted. It is safe for concurrent use.
type Gate struct {
	arrived   atomic.Int64
	threshold atomic.Uint32 // a request with a random number above it is rejected; MaxUint32: none
	alert     atomic.Bool   // overloaded, now or recently
	turns     *turns        // nil: no pipe could be created
	stop      chan struct{}
}

// New returns a Gate that measures until it is closed.
func New() *Gate {
	g := &Gate{stop: make(chan struct{})}
	g.threshold.Store(math.MaxUint32)
	if t, err := newTurns(); err == nil {
		g.turns = t
	}
	go g.watch()
	return g
}

// Close stops measuring. All requests are admitted from then on.
func (g *Gate) Close() {
	close(g.stop)
	if g.turns != nil {
		g.turns.close()
	}
}

// Admit counts a request and reports whether it is admitted. It takes a few nanoseconds and does not allocate.
func (g *Gate) Admit() bool {
	g.arrived.Add(1)
	t := g.threshold.Load()
	return t == math.MaxUint32 || rand.Uint32() <= t
}

// Alert reports whether more requests arrive than can be served, now or recently. If so, a request takes a Turn before
// processor-intensive work.
func (g *Gate) Alert() bool { return g.alert.Load() && g.turns != nil }

// Turn waits until a processor is free for an admitted request's work. It returns false if the wait would be too long.
// Otherwise call EndTurn after the work. Use it only during Alert, for work that does not block.
func (g *Gate) Turn() (began time.Time, ok bool) { return g.turns.take() }

// EndTurn ends a turn and lets the next request work.
func (g *Gate) EndTurn(began time.Time) { g.turns.give(began) }

// Measuring intervals. A measurement costs the work of one or two requests, so the short interval is used only when needed.
const (
	shortInterval = 5 * time.Millisecond
	longInterval  = 50 * time.Millisecond
)

// busy is the rate, in requests per second and processor, above which a delay over Target shortens the interval.
const busy = 200

func (g *Gate) watch() {
	defer g.threshold.Store(math.MaxUint32)
	defer g.alert.Store(false)
	delays := newDelays()
	control := controller{processors: runtime.GOMAXPROCS(0), admitted: 1}
	timer := time.NewTimer(longInterval)
	defer timer.Stop()
	for last := time.Now(); ; {
		select {
		case <-g.stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		took := now.Sub(last)
		last = now
		m := measurement{arrived: g.arrived.Swap(0), took: took, delay: delays.median()}
		if g.turns != nil {
			m.refused = g.turns.takeRefused()
		}
		admitted := control.step(m)
		g.alert.Store(control.alert)
		g.threshold.Store(threshold(admitted))
		late := m.delay >= Target && float64(m.arrived) > busy*took.Seconds()*float64(control.processors)
		if control.alert || late {
			timer.Reset(shortInterval)
		} else {
			timer.Reset(longInterval)
		}
	}
}

func threshold(admitted float64) uint32 {
	if admitted >= 1 {
		return math.MaxUint32
	}
	return uint32(admitted * (math.MaxUint32 - 1))
}
