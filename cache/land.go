package cache

import (
	"errors"
	"time"
)

// land ends a flight: it keeps the load's result as of the given time, and answers all
// waiters.
func (c *Cache[V]) land(f *flight[V], value V, err error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(f.done)
	if c.flights[f.key] == f {
		delete(c.flights, f.key)
	}
	rules := c.rules.Load()
	keeps := f.purges == c.purges && !c.closed
	switch {
	case err == nil:
		f.value = value
		if keeps {
			e := newEntry[V](f.key, f.hash, rules.Cost(value))
			e.value = value
			e.renew(now, rules.Fresh)
			c.keep(e, f.old)
		}
	case errors.Is(err, ErrNotModified) && f.old != nil:
		f.value = f.old.value
		f.old.renew(now, rules.Fresh)
		if keeps {
			c.retain(f)
		}
	default:
		c.landFailed(f, err, now, keeps)
	}
}

// landFailed is land for a load that returned an error.
func (c *Cache[V]) landFailed(f *flight[V], err error, now time.Time, keeps bool) {
	rules := c.rules.Load()
	busy := errors.Is(err, ErrBusy)
	definitive := !busy && rules.Definitive(err)
	if !busy {
		c.counts.loadErrors.Add(1)
	}
	if f.old != nil && !definitive && f.old.survives(now.UnixNano(), rules) {
		f.value = f.old.value
		c.counts.rescues.Add(1)
		f.old.retryAt.Store(now.Add(rules.pause(f.old.failures.Add(1))).UnixNano())
		if keeps {
			c.retain(f)
		}
		return
	}
	f.err = err
	switch {
	case !keeps || busy:
		// The load says nothing about the key.
		if f.old != nil {
			f.old.retryAt.Store(0)
		}
	case definitive:
		c.drop(f.hash, f.old)
		c.remember(f, err, now, rules.Negative, 0)
	default:
		c.drop(f.hash, f.old)
		failures := int32(1)
		if before := c.negative.get(f.hash, []byte(f.key)); before != nil {
			failures += before.failures.Load()
		}
		c.remember(f, err, now, rules.pause(failures), failures)
	}
}

// retain keeps the flight's old value, which may have been evicted since the launch.
func (c *Cache[V]) retain(f *flight[V]) {
	if c.find(f.hash, []byte(f.key)) != f.old {
		c.keep(f.old, nil)
	}
}
