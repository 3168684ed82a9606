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
	stop      chan struct{}
}

// New returns a Gate that measures until it is closed.
func New() *Gate {
	g := &Gate{stop: make(chan struct{})}
	g.threshold.Store(math.MaxUint32)
	go g.watch()
	return g
}

// Close ends the measuring. Everybody is let in from then on.
func (g *Gate) Close() { close(g.stop) }

// Admit counts a request and reports whether it is let in. It takes a few nanoseconds and does not allocate.
func (g *Gate) Admit() bool {
	g.arrived.Add(1)
	t := g.threshold.Load()
	return t == math.MaxUint32 || rand.Uint32() <= t
}

// How often is measured: often while there is much to see.
const (
	quickly = 5 * time.Millisecond
	slowly  = 50 * time.Millisecond
)

// busy is how many requests a second and processor make it worth measuring quickly.
const busy = 200

func (g *Gate) watch() {
	defer g.threshold.Store(math.MaxUint32)
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
		admitted := control.step(m)
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
