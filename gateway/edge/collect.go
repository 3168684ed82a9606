package edge

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"jobgate/gateway/reclaim"
)

// maintainParked closes idle connections, parks sooner near the limits, and triggers memory collection, until parking ends.
func (l *Listener) maintainParked(k *parking, after time.Duration) {
	tick := max(after/parkTicks, time.Millisecond)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for begun, maintained := time.Now(), time.Now(); ; {
		var now time.Time
		select {
		case <-k.done:
			return
		case now = <-ticker.C:
		}
		l.advance(uint32(now.Sub(begun) / tick)) //nolint:gosec // it wraps
		if now.Sub(maintained) < after/10 {
			continue
		}
		maintained = now
		l.endIdle(k, now)
		wait := uint32(parkTicks)
		if l.nearConnectionLimit() || nearMemoryLimit() {
			wait = nearTicks
		}
		l.parkAfterTicks(wait)
		if k.collects.Due(k.freed.Swap(0), now) {
			reclaim.Memory()
		}
	}
}

// nearConnectionLimit reports whether at most an eighth of l's connections are left.
func (l *Listener) nearConnectionLimit() bool {
	most := int64(l.MaxConnections)
	return most > 0 && l.open.Load() >= most-most/8
}

// nearMemoryLimit reports whether at most an eighth of the memory limit (GOMEMLIMIT) is left.
func nearMemoryLimit() bool {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return false
	}
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()-s[1].Value.Uint64() >= uint64(limit-limit/8) //nolint:gosec // both are positive
}
