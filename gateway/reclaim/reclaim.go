// Package reclaim returns memory to the system after a burst of short-lived objects: connections that were parked or
// closed, documents that were loaded. A process that is idle afterwards does not collect by itself. It holds up to twice
// the live memory, and the buffers and stacks of the goroutines that served.
//
//	Watch.Add ──► Trigger.Due, once a second: many freed, and no more follow? ──► Memory
package reclaim

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Trigger decides when to collect memory. The zero value is ready for use. It is not safe for concurrent use.
type Trigger struct {
	freed int64     // since the last collection
	quiet int       // consecutive calls with few freed
	last  time.Time // of the last collection
}

const (
	minFreed     = 1000 // freed objects that are worth a collection: 10 MB and more
	collectEvery = 20 * time.Second
	quietCalls   = 3 // by then the goroutines that served the objects have ended
)

// Due takes the number of objects freed since the last call, about a second ago. After many, a collection is due once no
// more follow, or every 20 seconds while more do.
func (t *Trigger) Due(freed int64, now time.Time) bool {
	t.freed += freed
	t.quiet++
	if freed > t.freed/16 {
		t.quiet = 0
	}
	if t.freed < minFreed || t.quiet < quietCalls || now.Sub(t.last) < collectEvery {
		return false
	}
	t.freed, t.last = 0, now
	return true
}

// Memory collects garbage twice, which empties pools, and returns free memory to the system.
func Memory() {
	runtime.GC()
	debug.FreeOSMemory()
}

// Watch collects memory after many objects were freed. It is safe for concurrent use and must not be copied.
type Watch struct {
	Collect func() // Memory, except in tests

	freed    atomic.Int64
	watching atomic.Bool
	trigger  Trigger // used by the timer only
}

// Add adds to the number of freed objects. It does not block. Once there are many, a timer runs until the collection.
func (w *Watch) Add(n int64) {
	if w.freed.Add(n) >= minFreed && w.watching.CompareAndSwap(false, true) {
		time.AfterFunc(time.Second, w.tick)
	}
}

func (w *Watch) tick() {
	if !w.trigger.Due(w.freed.Swap(0), time.Now()) {
		time.AfterFunc(time.Second, w.tick)
		return
	}
	w.watching.Store(false)
	w.Collect()
}
