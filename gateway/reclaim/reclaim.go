// Package reclaim gives memory back to the system after a mass of things that needed it for a moment: connections that were
// parked or have left, documents that were loaded. A process that is quiet then collects nothing by itself, and holds up to
// twice of what is alive, and the buffers and stacks of who served.
//
//	Watch.Add ──► Ebb.Due, once a second: a mass, and no more follow? ──► Memory
package reclaim

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Ebb says when memory should be collected. It is not safe for concurrent use; its zero value is ready.
type Ebb struct {
	freed  int64 // since the last collection
	ebbing int   // calls in a row with few of them
	last   time.Time
}

const (
	mass         = 1000 // things whose memory is worth a collection: 10 MB and more
	collectEvery = 20 * time.Second
	ebb          = 3 // calls: until then the goroutines that served them have ended
)

// Due takes how many things let go of their memory since it was last called, about a second ago. A mass of them makes a
// collection due once no more follow, or, as far as more do, every 20 seconds.
func (e *Ebb) Due(freed int64, now time.Time) bool {
	e.freed += freed
	e.ebbing++
	if freed > e.freed/16 {
		e.ebbing = 0
	}
	if e.freed < mass || e.ebbing < ebb || now.Sub(e.last) < collectEvery {
		return false
	}
	e.freed, e.last = 0, now
	return true
}

// Memory collects twice, which empties pools, and gives what is free back to the system.
func Memory() {
	runtime.GC()
	debug.FreeOSMemory()
}

// Watch has memory collected after a mass of things. It is safe for concurrent use and must not be copied.
type Watch struct {
	Collect func() // Memory, but for tests

	freed    atomic.Int64
	watching atomic.Bool
	ebb      Ebb // of who is watching
}

// Add takes how many things have let go of their memory. It returns at once. From a mass of them on a timer runs until the
// collection.
func (w *Watch) Add(n int64) {
	if w.freed.Add(n) >= mass && w.watching.CompareAndSwap(false, true) {
		time.AfterFunc(time.Second, w.tick)
	}
}

func (w *Watch) tick() {
	if !w.ebb.Due(w.freed.Swap(0), time.Now()) {
		time.AfterFunc(time.Second, w.tick)
		return
	}
	w.watching.Store(false)
	w.Collect()
}
