package cache

import (
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// Every write to ristretto happens under c.mu and waits until ristretto has processed it:
// microseconds, against a load's milliseconds. So whenever c.mu is free, an entry is in
// main, in recent or in neither, and no write is pending.

// reofferEvery is after how many hits a refused entry is offered to ristretto again.
// Ristretto counts hits in batches of 64 (BufferItems), so offering sooner is useless.
const reofferEvery = 64

// keep makes e the entry of its key, in place of old, which may be nil. c.mu is held.
func (c *Cache[V]) keep(e, old *entry[V]) {
	e.dead.Store(false)
	c.recent.put(e) // before old is removed: Get finds one or the other
	c.drop(e.hash, old)
	c.negative.forget(e)
	c.offer(e)
	if e.refused.Load() && !e.listed.Load() {
		e.dead.Store(true) // larger than either map
		c.counts.oversize.Add(1)
	}
}

// drop removes e, which may be nil, and ristretto's entry with that hash. c.mu is held.
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

// offer asks ristretto to admit e, which it does not hold. If it does, e leaves the recent
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

// refused is called for each entry that ristretto refuses, on ristretto's goroutine.
func (c *Cache[V]) refused(item *ristretto.Item[*entry[V]]) { item.Value.refused.Store(true) }

// evicted is called for each entry that ristretto evicts, on ristretto's goroutine. An entry
// that was requested since its admission gets another chance in the recent map: ristretto's
// frequencies are estimates, and miss some requests.
func (c *Cache[V]) evicted(item *ristretto.Item[*entry[V]]) {
	e := item.Value
	if e == nil || c.purging.Load() {
		return
	}
	e.refused.Store(true)
	if !e.visited.Load() || !c.recent.putBack(e) {
		c.lost(e)
	}
	c.index.remove(e)
}

// lost counts the eviction of e, which is in no map any more.
func (c *Cache[V]) lost(e *entry[V]) {
	if !e.dead.Swap(true) {
		c.counts.evictions.Add(1)
	}
}

// visit counts a hit in the recent map and offers the entry again from time to time, in the
// background.
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

// Resize reports how many bytes the value of key holds beyond what [Config.Cost] counted, such as its last rendering. Call
// it whenever they change. It counts an eighth more, so that small changes do not move the entry: it returns at once unless
// the bytes exceed the counted ones or are less than three quarters of them. If the key has been evicted or its value
// replaced, Resize errs on the side of too high a cost.
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
	// If an entry grew in place, ristretto would exceed its budget until the next new
	// entry. So the entry is admitted anew; Load waits meanwhile.
	c.drop(h, e)
	e.cost.Store(e.base + extra + extra/8)
	c.keep(e, nil)
}
