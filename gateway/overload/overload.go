// Package overload turns requests away while more come than the processor can serve, so that those that are let in are
// answered in time.
//
// It goes by measured delay, not by a number in flight: how long goroutines that could run wait for a processor, as the
// Go scheduler measures it, and by Little's law how many requests that makes wait at once. Requests that wait for
// somebody else (an upstream, a source, a slow reader) make no such delay, and neither does a machine that is busy with
// other things while few requests come.
//
//	every few ms:   delay over Target, and many wait    let a smaller part in
//	                else                                let more in again
//
// While there is too much delay, those that are let in and have long work to do, a document's signing, take turns, so that
// the others are turned away at once and the processor is never without work: see Gate.Turn. Who would have to wait too
// long for its turn, as long as turns take at the time, is turned away too.
package overload

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"
)

// Gate decides who is let in. It is safe for concurrent use.
type Gate struct {
	arrived   atomic.Int64
	threshold atomic.Uint32 // a random number above it is turned away; MaxUint32: nobody is
	alert     atomic.Bool   // more come than can be served, or did not long ago
	turns     *turns        // nil: the system had no pipe
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

// Close ends the measuring. Everybody is let in from then on.
func (g *Gate) Close() {
	close(g.stop)
	if g.turns != nil {
		g.turns.close()
	}
}

// Admit counts a request and reports whether it is let in. It takes a few nanoseconds and does not allocate.
func (g *Gate) Admit() bool {
	g.arrived.Add(1)
	t := g.threshold.Load()
	return t == math.MaxUint32 || rand.Uint32() <= t
}

// Alert reports whether more requests come than can be served, or did not long ago. Whoever is about to keep a processor
// busy asks for a Turn then.
func (g *Gate) Alert() bool { return g.alert.Load() && g.turns != nil }

// Turn waits until a processor has time for the work of a request that was let in, and reports whether it has soon
// enough. If so, EndTurn is to be called after the work. It is for work that waits for nobody, and for Alert.
func (g *Gate) Turn() bool { return g.turns.take() }

// EndTurn lets the next in.
func (g *Gate) EndTurn() { g.turns.give() }

// How often is measured: often while there is much to see.
const (
	quickly = 5 * time.Millisecond
	slowly  = 50 * time.Millisecond
)

// busy is how many requests a second and processor make it worth measuring quickly.
const busy = 200

func (g *Gate) watch() {
	defer g.threshold.Store(math.MaxUint32)
	defer g.alert.Store(false)
	delays := newDelays()
	control := controller{processors: runtime.GOMAXPROCS(0), admitted: 1}
	timer := time.NewTimer(slowly)
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
			m.refused = g.turns.turnedAway()
		}
		admitted := control.step(m)
		g.alert.Store(control.alert)
		g.threshold.Store(threshold(admitted))
		if control.alert || float64(m.arrived) > busy*took.Seconds()*float64(control.processors) {
			timer.Reset(quickly)
		} else {
			timer.Reset(slowly)
		}
	}
}

func threshold(admitted float64) uint32 {
	if admitted >= 1 {
		return math.MaxUint32
	}
	return uint32(admitted * (math.MaxUint32 - 1))
}
