package cache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// entryOverhead is what an entry takes beside its key and value: this struct, its slots
// in ristretto's two maps (which grow by doubling) and in the recent map. Measured by
// TestBudgetIsTrue.
const entryOverhead = 384

// errorOverhead is what an error value takes beside its text.
const errorOverhead = 128

// entry is one value or, in the negative map, one error. Times are Unix nanoseconds.
type entry[V any] struct {
	key   string
	hash  uint64
	value V
	err   error

	cost       atomic.Int64 // bytes, all told
	base       int64        // cost without what Resize reported
	freshUntil atomic.Int64
	retryAt    atomic.Int64 // no revalidation before: one is under way, or the source failed
	failures   atomic.Int32 // of the source since the last good answer

	dead    atomic.Bool // replaced or gone, though someone may still hold it
	listed  atomic.Bool // is in the recent map
	refused atomic.Bool // by ristretto, or evicted from it
	visited atomic.Bool // asked for since the exact map's hand passed
	uses    atomic.Uint32

	prev, next *entry[V] // exact map's list, under its mutex
}

func newEntry[V any](key string, hash uint64, bytes int64) *entry[V] {
	e := &entry[V]{key: key, hash: hash, base: entryOverhead + int64(len(key)) + max(bytes, 0)}
	e.cost.Store(e.base)
	return e
}

// state returns what the entry is worth at the given time: Fresh, Stale, Due or Miss.
func (e *entry[V]) state(now int64, rules *Config[V]) State {
	fresh := e.freshUntil.Load()
	if now < fresh {
		return Fresh
	}
	waiting := now < e.retryAt.Load()
	switch {
	case now < fresh+int64(rules.StaleWhileRevalidate):
		if waiting {
			return Stale
		}
		return Due
	case waiting && e.failures.Load() > 0 && e.survives(now, rules):
		return Stale
	default:
		return Miss
	}
}

// survives reports whether the value may stand in for a source that fails.
func (e *entry[V]) survives(now int64, rules *Config[V]) bool {
	return now < e.freshUntil.Load()+int64(rules.StaleIfError)
}

// renew makes the entry fresh as of the given time.
func (e *entry[V]) renew(now time.Time, fresh time.Duration) {
	if fresh > 0 {
		fresh -= time.Duration(rand.Int64N(int64(fresh)/10 + 1)) // jitter, no secret
	}
	e.failures.Store(0)
	e.retryAt.Store(0)
	e.freshUntil.Store(now.Add(fresh).UnixNano())
}

// counts reports whether the entry's cost is near enough with so many bytes beside its base.
func (e *entry[V]) counts(extra int64) bool {
	counted := e.cost.Load() - e.base
	return extra <= counted && extra >= counted-counted/4
}

// touch notes that the entry is asked for.
func (e *entry[V]) touch() {
	if !e.visited.Load() {
		e.visited.Store(true)
	}
}

// pause returns how long a source is left alone after so many failures in a row.
func (c *Config[V]) pause(failures int32) time.Duration {
	d := c.Retry
	for ; failures > 1 && d < c.RetryMax; failures-- {
		d *= 2
	}
	d = min(d, c.RetryMax)
	return d - d/5 + time.Duration(rand.Int64N(int64(d)*2/5+1)) // jitter, no secret
}
