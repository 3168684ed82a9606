package edge

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// tendParked ends idle connections, parks sooner when limits are near, and has memory collected, until the parking ends.
func (l *Listener) tendParked(k *parking, after time.Duration) {
	tick := time.NewTicker(after / 10)
	defer tick.Stop()
	for {
		var now time.Time
		select {
		case <-k.done:
			return
		case now = <-tick.C:
		}
		l.endIdle(k, now)
		sooner := after
		if l.crowded() || memoryIsNear() {
			sooner = after / 10
		}
		l.parkAfter.CompareAndSwap(l.parkAfter.Load(), int64(sooner))
		if k.collects.due(k.freed.Swap(0), now) {
			collect()
		}
	}
}

// crowded says whether an eighth of the connections that l may have, or less, is left.
func (l *Listener) crowded() bool {
	most := int64(l.MaxConnections)
	return most > 0 && l.open.Load() >= most-most/8
}

// memoryIsNear says whether an eighth of the memory limit (GOMEMLIMIT), or less, is left.
func memoryIsNear() bool {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return false
	}
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()-s[1].Value.Uint64() >= uint64(limit-limit/8) //nolint:gosec // both are positive
}

// collection says when memory should be collected because many connections were parked or have left. A process that is
// quiet then collects nothing by itself, and what served them, buffers and stacks, stays with it.
type collection struct {
	freed  int64 // since the last one
	ebbing int   // calls in a row with few of them
	last   time.Time
}

const (
	massParking  = 1000 // connections whose buffers are worth a collection: 10 MB and more
	collectEvery = 20 * time.Second
	ebb          = 3 // calls: until then the goroutines that served them, which live for workerIdle more, have ended
)

// due takes how many connections were let go of since it was last called, in a tenth of the time after which they are
// parked. A mass of them makes a collection due once no more follow, or, as far as more do, every collectEvery.
func (c *collection) due(freed int64, now time.Time) bool {
	c.freed += freed
	c.ebbing++
	if freed > c.freed/16 {
		c.ebbing = 0
	}
	if c.freed < massParking || c.ebbing < ebb || now.Sub(c.last) < collectEvery {
		return false
	}
	c.freed, c.last = 0, now
	return true
}

// collect collects twice, which empties pools, and gives what is free back to the system.
func collect() {
	runtime.GC()
	debug.FreeOSMemory()
}
