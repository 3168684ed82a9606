package cache

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// entryOverhead is the memory of an entry beyond its key and value: this struct, its slots
// in ristretto's two maps (which grow by doubling) and in the recent map. Measured by
// TestBudgetIsTrue.
const entryOverhead = 384

// errorOverhead is the memory of an error value beyond its text.
const errorOverhead = 128

// shortKey is the longest key that is stored inside its entry: reading it elsewhere costs another 0.2 µs when the
// processor's caches hold few of the entries. A route's prefix and a UUID fit.
const shortKey = 55

// entry is one value or, in the negative map, one error. Times are Unix nanoseconds. The fields that a hit reads come first.
type entry[V any] struct {
	hash       uint64
	value      V
	freshUntil atomic.Int64
	dead       atomic.Bool // replaced or dropped, though a reader may still hold it
	visited    atomic.Bool // requested since shrink last looked at it
	length     uint8       // of the key, if it is in short; otherwise more than shortKey
	short      [shortKey]byte
	long       string // the key, if it is longer than shortKey

	err      error
	cost     atomic.Int64 // bytes in total
	base     int64        // cost without the bytes that Resize reported
	retryAt  atomic.Int64 // no revalidation before: one is running, or the source failed
	failures atomic.Int32 // of the source since its last success
	listed   atomic.Bool  // is in the recent map
	refused  atomic.Bool  // by ristretto, or evicted from it
	uses     atomic.Uint32

	prev, next *entry[V] // exact map's list, under its mutex
}

func newEntry[V any](key string, hash uint64, bytes int64) *entry[V] {
	e := &entry[V]{hash: hash, base: entryOverhead + int64(len(key)) + max(bytes, 0)}
	if len(key) <= shortKey {
		e.length = uint8(copy(e.short[:], key))
	} else {
		e.length, e.long = shortKey+1, key
	}
	e.cost.Store(e.base)
	return e
}

// is reports whether key is the entry's.
func (e *entry[V]) is(key []byte) bool {
	if len(key) <= shortKey {
		return int(e.length) == len(key) && string(e.short[:len(key)]) == string(key)
	}
	return e.long == string(key)
}

// sameKey reports whether two entries have the same key.
func (e *entry[V]) sameKey(other *entry[V]) bool {
	return e.length == other.length && e.short == other.short && e.long == other.long
}

// state returns the entry's state at the given time: Fresh, Stale, Due or Miss.
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

// survives reports whether the value may be served when its source fails.
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

// counts reports whether the entry's cost is close enough to its base plus extra.
func (e *entry[V]) counts(extra int64) bool {
	counted := e.cost.Load() - e.base
	return extra <= counted && extra >= counted-counted/4
}

// touch notes a request for the entry.
func (e *entry[V]) touch() {
	if !e.visited.Load() {
		e.visited.Store(true)
	}
}

// pause returns how long to wait after so many failures in a row before loading again.
func (c *Config[V]) pause(failures int32) time.Duration {
	d := c.Retry
	for ; failures > 1 && d < c.RetryMax; failures-- {
		d *= 2
	}
	d = min(d, c.RetryMax)
	return d - d/5 + time.Duration(rand.Int64N(int64(d)*2/5+1)) // jitter, no secret
}
