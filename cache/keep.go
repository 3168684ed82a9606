package cache

import (
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// Every write to ristretto happens under c.mu and waits for ristretto's answer, which
// takes some microseconds beside a load's milliseconds. So at any time that c.mu is free
// an entry is in main or in recent or in neither, and nothing is on its way.

// reofferEvery is after how many hits a refused entry is offered to ristretto again.
// Ristretto learns of hits in batches of 64 (BufferItems), so sooner tells it nothing new.
const reofferEvery = 64

// keep makes e what its key stands for, in place of old, which may be nil. c.mu is held.
func (c *Cache[V]) keep(e, old *entry[V]) {
	e.dead.Store(false)
	c.recent.put(e) // before old goes: Get finds one or the other
	c.drop(e.hash, old)
	c.negative.forget(e)
	c.offer(e)
	if e.refused.Load() && !e.listed.Load() {
		e.dead.Store(true) // larger than either map
		c.counts.oversize.Add(1)
	}
}

// drop forgets e, which may be nil, and what ristretto holds under that hash. c.mu is held.
func (c *Cache[V]) drop(hash uint64, e *entry[V]) {
	if e != nil {
		e.dead.Store(true)
		c.recent.remove(e)
	}
	if in := c.index.get(hash); in != nil {
		in.dead.Store(true)
		c.index.remove(in)
		c.main.Del(hash)
	}
}

// offer asks ristretto to take e, which it does not have. If it does, e leaves the recent
// map. c.mu is held.
func (c *Cache[V]) offer(e *entry[V]) {
	e.refused.Store(false)
	if !c.main.Set(e.hash, e, e.cost.Load()) {
		e.refused.Store(true)
	}
	c.main.Wait() // calls refused or evicted, for e or others
	if !e.refused.Load() {
		c.index.put(e)
		c.recent.remove(e)
	}
	c.recent.shrink()
}

// refused is told what ristretto does not take, on ristretto's goroutine.
func (c *Cache[V]) refused(item *ristretto.Item[*entry[V]]) { item.Value.refused.Store(true) }

// evicted is told what ristretto took out, on ristretto's goroutine. Who was asked for
// since ristretto took it may go through the recent map once more: ristretto's
// frequencies are estimates, and lose some.
func (c *Cache[V]) evicted(item *ristretto.Item[*entry[V]]) {
	e := item.Value
	if e == nil || c.purging.Load() {
		return
	}
	e.refused.Store(true)
	if !e.visited.Load() || !c.recent.putBack(e) {
		c.gone(e)
	}
	c.index.remove(e)
}

// gone is told that e is in no map any more, because others needed the room.
func (c *Cache[V]) gone(e *entry[V]) {
	if !e.dead.Swap(true) {
		c.counts.evictions.Add(1)
	}
}

// visit counts a hit in the recent map and has the entry offered again from time to time,
// which is not for the one who asked to wait for.
func (c *Cache[V]) visit(e *entry[V]) {
	e.touch()
	if e.uses.Add(1)%reofferEvery == 0 && e.refused.Load() {
		c.running.Go(func() { c.reoffer(e) })
	}
}

func (c *Cache[V]) reoffer(e *entry[V]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed && e.listed.Load() && e.refused.Load() {
		c.offer(e)
	}
}

// remember keeps err for the key of f, for the given time. c.mu is held.
func (c *Cache[V]) remember(f *flight[V], err error, now time.Time, span time.Duration, failures int32) {
	if span <= 0 {
		return
	}
	e := newEntry[V](f.key, f.hash, errorOverhead+int64(len(err.Error())))
	e.err = err
	e.failures.Store(failures)
	e.freshUntil.Store(now.Add(span).UnixNano())
	c.negative.put(e)
	c.negative.shrink()
}

// Resize tells the cache that so many bytes hang on the value of key by now, such as its last rendering, beside what
// [Config.Cost] counted. Call it whenever they change. It counts an eighth more, so that small changes do not move the
// entry: it returns at once unless the bytes are more than what is counted, or less than three quarters of it. The key may
// be gone by now; then, and for a value that has been replaced, Resize errs on the side of too high a cost.
func (c *Cache[V]) Resize(key []byte, extra int64) {
	h := c.hash(key)
	e := c.find(h, key)
	if e == nil || e.counts(extra) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || e.dead.Load() || e.counts(extra) {
		return
	}
	// A larger update of what ristretto holds would go beyond its budget until the next
	// new entry. So the entry is admitted anew; Load waits meanwhile.
	c.drop(h, e)
	e.cost.Store(e.base + extra + extra/8)
	c.keep(e, nil)
}
