// Package cache keeps what was loaded from a slow source, job-document templates
// in jobgate, within a budget of bytes: one load per key at a time, old values
// while the source is down, and no entry after its source reported it missing.
//
//	Get(key, now) ── main: ristretto, by frequency ──┐
//	      │          recent: exact, what ristretto   ├─▶ value, Fresh | Stale | Due
//	      │                  has not admitted ────────┘
//	      │          negative: exact, small budget ────▶ Negative
//	      ▼ Miss, Due, Negative
//	Load(ctx, request) ── a flight of that key? wait for it
//	      └── else launch one ── one of the MaxLoads slots of its source
//	                          ── Loader(ctx, old value)
//	                          ── keep | renew | back off with the old value | remember the error
//
// A full ristretto may refuse a new entry for hundreds of requests. So a new entry stays in
// the recent map until ristretto admits it, and requests for it offer it again. The recent
// map evicts unused entries first, and its budget is part of [Config.MaxBytes].
//
// Age of an entry, as [State] names it:
//
//	0 ─────── Fresh ──────── StaleWhileRevalidate ──────── StaleIfError ──▶ dropped
//	  Fresh     │  Stale, Due: served, revalidated  │  served when the source fails
//	            │  in the background                │  or does not answer in time
//
// Everything is safe for concurrent use. Values are shared between all callers:
// they must be immutable, or guard themselves.
package cache

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// State says what [Cache.Get] found.
type State uint8

const (
	// Miss comes with no value: call [Cache.Load].
	Miss State = iota
	// Fresh comes with a value.
	Fresh
	// Stale comes with a value that is past its freshness and may be served. It is
	// being revalidated, or its source failed and is in its pause.
	Stale
	// Due is Stale without a revalidation: call [Cache.Load], which starts one in
	// the background and returns the value at once.
	Due
	// Negative comes with no value: [Cache.Load] returns the remembered error
	// without asking the source.
	Negative
)

// Usable reports whether the state comes with a value that may be served.
func (s State) Usable() bool { return s == Fresh || s == Stale || s == Due }

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case Fresh:
		return "fresh"
	case Stale:
		return "stale"
	case Due:
		return "due"
	case Negative:
		return "negative"
	default:
		return "miss"
	}
}

// Cache maps keys to values of type V. Create it with [New].
type Cache[V any] struct {
	main     *ristretto.Cache[uint64, *entry[V]]
	index    index[V] // of main
	recent   *exact[V]
	negative *exact[V]
	rules    atomic.Pointer[Config[V]] // defaults filled in
	counts   counts
	seed     maphash.Seed
	hashMask uint64 // all ones; tests narrow it to make keys collide

	mu       sync.Mutex // guards what follows, and every write to main
	flights  map[string]*flight[V]
	slots    map[string]chan struct{} // by source: a semaphore for its loads
	purges   uint64                   // results of flights launched before the last purge are not kept
	closed   bool
	purging  atomic.Bool
	lifetime context.Context // ends the flights when the cache is closed
	end      context.CancelFunc
	running  sync.WaitGroup
}

// New returns an empty cache. It runs two goroutines until [Cache.Close].
func New[V any](cfg Config[V]) (*Cache[V], error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Cache[V]{
		seed:     maphash.MakeSeed(),
		hashMask: math.MaxUint64,
		flights:  make(map[string]*flight[V]),
		slots:    make(map[string]chan struct{}),
	}
	c.rules.Store(&cfg)
	c.index.clear()
	c.recent = newExact(cfg.RecentBytes, c.lost)
	c.negative = newExact[V](cfg.NegativeBytes, nil)
	c.main, err = ristretto.NewCache(&ristretto.Config[uint64, *entry[V]]{
		NumCounters:        max(1<<14, cfg.MaxBytes/bytesPerCounter),
		MaxCost:            cfg.mainBytes(),
		BufferItems:        64,
		IgnoreInternalCost: true, // entryOverhead covers it
		KeyToHash:          func(h uint64) (uint64, uint64) { return h, 0 },
		OnEvict:            c.evicted,
		OnReject:           c.refused,
	})
	if err != nil {
		return nil, err
	}
	c.lifetime, c.end = context.WithCancel(context.Background())
	return c, nil
}

// bytesPerCounter sizes ristretto's frequency sketch: ten counters of about 3 bytes for
// each entry of 4 KiB that the budget holds. The sketch comes on top of the budget (1 %).
const bytesPerCounter = 400

// sampleEvery: ristretto counts one request in 16, hit or miss, because counting costs more than the hit itself. The
// relative frequencies stay right, and cover more requests.
const sampleEvery = 16

// Get returns the value of key and its state at now. It does not wait, does not allocate
// and starts nothing: [State] says when to call [Cache.Load]. key is not retained. Get must
// not run during or after [Cache.Close].
func (c *Cache[V]) Get(key []byte, now time.Time) (V, State) {
	h := c.hash(key)
	if rand.Uint32()%sampleEvery == 0 {
		c.main.Get(h) // counts it
	}
	// Fast path: ristretto has it.
	if e := c.index.get(h); e != nil && e.is(key) && !e.dead.Load() {
		e.touch()
		return c.answer(e, now.UnixNano())
	}
	// Slow path: not admitted yet, a remembered error, or a miss.
	if e := c.recent.get(h, key); e != nil {
		c.visit(e)
		return c.answer(e, now.UnixNano())
	}
	var none V
	if e := c.negative.get(h, key); e != nil && now.UnixNano() < e.freshUntil.Load() {
		e.touch()
		c.counts.negative.Add(1)
		return none, Negative
	}
	c.counts.misses.Add(1)
	return none, Miss
}

// answer returns e's value and state at the given time, and counts the request.
func (c *Cache[V]) answer(e *entry[V], now int64) (V, State) {
	if now < e.freshUntil.Load() {
		c.counts.hits.Add(1)
		return e.value, Fresh
	}
	state := e.state(now, c.rules.Load())
	if state.Usable() {
		c.counts.stale.Add(1)
		return e.value, state
	}
	c.counts.misses.Add(1)
	var none V
	return none, Miss
}

// find returns the entry of key, however old, or nil.
func (c *Cache[V]) find(h uint64, key []byte) *entry[V] {
	if e := c.index.get(h); e != nil && e.is(key) && !e.dead.Load() {
		return e
	}
	return c.recent.get(h, key)
}

func (c *Cache[V]) hash(key []byte) uint64 { return maphash.Bytes(c.seed, key) & c.hashMask }

// Purge drops every value and error, as after a reload of the configuration. A running
// load still answers its waiters, but its result is not kept.
func (c *Cache[V]) Purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purge()
}

// Reset is [Cache.Purge] with a new configuration. If it returns an error, nothing has
// changed. Ristretto's frequency sketch keeps the size that [New] gave it.
func (c *Cache[V]) Reset(cfg Config[V]) error {
	cfg, err := cfg.complete()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.purge()
	c.rules.Store(&cfg)
	c.main.UpdateMaxCost(cfg.mainBytes())
	c.recent.setBudget(cfg.RecentBytes)
	c.negative.setBudget(cfg.NegativeBytes)
	c.slots = make(map[string]chan struct{})
	return nil
}

func (c *Cache[V]) purge() {
	if c.closed {
		return
	}
	c.purges++
	c.flights = make(map[string]*flight[V])
	for e := range c.index.all {
		e.dead.Store(true)
	}
	c.index.clear()
	c.purging.Store(true)
	c.main.Clear()
	c.purging.Store(false)
	c.recent.clear()
	c.negative.clear()
}

// Close cancels the running loads, whose callers get an error, and frees everything. No
// Get may run any more; Load returns [ErrClosed]. A second call does nothing.
func (c *Cache[V]) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	c.end()
	c.mu.Unlock()
	c.running.Wait()
	c.purging.Store(true)
	c.main.Close()
	c.index.clear()
	c.recent.clear()
	c.negative.clear()
}

// AppendPart appends one part of a key to dst: its length, then its bytes. Keys built from
// such parts are equal only if all their parts are, whatever bytes the parts hold.
func AppendPart(dst, part []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(part)))
	return append(dst, part...)
}
