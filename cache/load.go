package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

var (
	// ErrNotModified is returned by a [Loader] if the old value is still current.
	ErrNotModified = errors.New("cache: not modified")
	// ErrBusy is returned when a load got none of its source's MaxLoads slots in time.
	// It is not remembered.
	ErrBusy = errors.New("cache: too many loads of the source at once; see limits.max_source_loads")
	// ErrClosed is returned by a closed cache.
	ErrClosed = errors.New("cache: closed")
)

// Loader loads a value from the source. If kept is true, old is the current value, and the
// loader may return [ErrNotModified]. It runs in a goroutine of its own and must return
// when ctx ends, which is after [Config.LoadTimeout], even if callers still wait. A panic in it becomes
// an error.
type Loader[V any] func(ctx context.Context, old V, kept bool) (V, error)

// Request is what [Cache.Load] needs.
type Request[V any] struct {
	Key    []byte    // as for Get; copied
	Now    time.Time // as for Get
	Source string    // MaxLoads applies per source; one of a few known names
	Loader Loader[V]
}

// Load returns the value of a key that Get did not return as Fresh or Stale.
//
// A key has one load at a time, which all its callers share. The end of a caller's ctx ends
// its waiting, not the load. Load returns the first of these: the value, if it is cached by
// now (also if it is [Due]: its load runs in the background); the remembered error; the
// load's result; the old value, if the source fails or does not answer within StaleWait and
// [Config.StaleIfError] allows it; [ErrBusy], if the load was still waiting for a slot;
// the error of the loader, or of ctx.
func (c *Cache[V]) Load(ctx context.Context, r Request[V]) (V, error) {
	h, now := c.hash(r.Key), r.Now.UnixNano()
	// Fast path: nothing to load. No global lock.
	if a := c.lookUp(h, r.Key, now); a.done {
		return a.value, a.err
	}
	// Slow path: join the key's flight, or launch it.
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		var none V
		return none, ErrClosed
	}
	a := c.lookUp(h, r.Key, now)
	if a.done {
		c.mu.Unlock()
		return a.value, a.err
	}
	f := c.flights[string(r.Key)]
	if f == nil {
		f = c.launch(r, h, a.old)
	}
	if a.due {
		c.mu.Unlock()
		return a.old.value, nil
	}
	f.waiters++
	c.mu.Unlock()
	if a.old != nil && !a.old.survives(now, c.rules.Load()) {
		a.old = nil
	}
	return c.wait(ctx, f, a.old)
}

// lookup is the result of a look-up without a load.
type lookup[V any] struct {
	value V
	err   error
	done  bool      // value or err is the answer
	old   *entry[V] // otherwise: the entry that a load may renew, or nil
	due   bool      // old may be served meanwhile
}

func (c *Cache[V]) lookUp(h uint64, key []byte, now int64) lookup[V] {
	if e := c.find(h, key); e != nil {
		switch e.state(now, c.rules.Load()) {
		case Fresh, Stale:
			return lookup[V]{value: e.value, done: true}
		case Due:
			return lookup[V]{old: e, due: true}
		default:
			return lookup[V]{old: e}
		}
	}
	if e := c.negative.get(h, key); e != nil && now < e.freshUntil.Load() {
		e.touch()
		return lookup[V]{err: e.err, done: true}
	}
	return lookup[V]{}
}

// flight is one load of one key.
type flight[V any] struct {
	key    string
	hash   uint64
	old    *entry[V]          // or nil
	slot   chan struct{}      // a send takes one of the source's slots
	queue  context.Context    // ends the wait for a slot
	giveUp context.CancelFunc // of queue
	purges uint64             // c.purges at launch

	waiters int  // callers that wait; under c.mu
	started bool // has its slot; under c.mu

	done  chan struct{} // closed when value and err are set
	value V
	err   error
}

// launch starts the load of a key that has none. c.mu is held.
func (c *Cache[V]) launch(r Request[V], h uint64, old *entry[V]) *flight[V] {
	rules := c.rules.Load()
	f := &flight[V]{key: string(r.Key), hash: h, old: old, purges: c.purges, done: make(chan struct{})}
	f.slot = c.slots[r.Source]
	if f.slot == nil {
		f.slot = make(chan struct{}, rules.MaxLoads)
		c.slots[r.Source] = f.slot
	}
	if old != nil {
		old.retryAt.Store(r.Now.Add(2 * rules.LoadTimeout).UnixNano()) // until it lands
	}
	f.queue, f.giveUp = context.WithTimeout(c.lifetime, rules.LoadTimeout)
	c.flights[f.key] = f
	c.running.Go(func() {
		started := time.Now()
		value, err := c.fly(f, r.Loader, rules)
		c.land(f, value, err, r.Now.Add(time.Since(started)))
	})
	return f
}

// fly waits for a slot and calls the loader.
func (c *Cache[V]) fly(f *flight[V], load Loader[V], rules *Config[V]) (value V, err error) {
	defer f.giveUp()
	select {
	case f.slot <- struct{}{}:
	case <-f.queue.Done():
		if c.lifetime.Err() != nil {
			return value, ErrClosed
		}
		return value, ErrBusy
	}
	defer func() { <-f.slot }()
	c.mu.Lock()
	f.started = f.queue.Err() == nil
	c.mu.Unlock()
	if !f.started {
		return value, ErrBusy
	}
	c.counts.loads.Add(1)
	ctx, cancel := context.WithTimeout(c.lifetime, rules.LoadTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cache: the loader panicked: %v\n%s", p, debug.Stack())
		}
	}()
	if f.old == nil {
		return load(ctx, value, false)
	}
	return load(ctx, f.old.value, true)
}

// wait returns the flight's result or, if that takes too long, the value of old, which may be nil.
func (c *Cache[V]) wait(ctx context.Context, f *flight[V], old *entry[V]) (V, error) {
	var late <-chan time.Time
	if old != nil {
		timer := time.NewTimer(c.rules.Load().StaleWait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-f.done:
		if f.err != nil {
			c.counts.errors.Add(1)
		}
		return f.value, f.err
	case <-ctx.Done():
	case <-late:
		// A source this slow counts as failed: until the flight has landed, all other
		// callers get the old value without waiting.
		old.failures.CompareAndSwap(0, 1)
	}
	started := c.leave(f)
	if old != nil {
		c.counts.rescues.Add(1)
		return old.value, nil
	}
	c.counts.errors.Add(1)
	var none V
	if !started {
		return none, fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
	}
	return none, context.Cause(ctx)
}

// leave removes a waiter from the flight and reports whether the flight had its slot. A
// flight without waiters gives up waiting for a slot, unless it renews a value.
func (c *Cache[V]) leave(f *flight[V]) (started bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.waiters--
	if f.waiters == 0 && !f.started && f.old == nil {
		f.giveUp()
		if c.flights[f.key] == f {
			delete(c.flights, f.key)
		}
	}
	return f.started
}
