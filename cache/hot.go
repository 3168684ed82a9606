package cache

import (
	"math/rand/v2"
	"sync/atomic"
)

// hot holds entries of ristretto that were asked for a moment ago, one a slot: a hit
// takes a tenth of the time that ristretto takes to count it (BenchmarkGetHot). It keeps
// nothing alive: what ristretto drops is forgotten here too.
type hot[V any] struct {
	slots [hotSlots]atomic.Pointer[entry[V]]
}

const (
	hotSlots  = 256
	tellEvery = 16 // of so many hits one goes on to ristretto, so that it knows what is hot
)

// get returns the entry of that hash, or nil: also now and then for one that is here.
func (x *hot[V]) get(hash uint64) *entry[V] {
	e := x.slots[hash%hotSlots].Load()
	if e == nil || e.hash != hash || rand.Uint32()%tellEvery == 0 {
		return nil
	}
	return e
}

// put takes in an entry that ristretto has just returned.
func (x *hot[V]) put(e *entry[V]) {
	slot := &x.slots[e.hash%hotSlots]
	if slot.Load() == e {
		return
	}
	slot.Store(e)
	if e.dead.Load() || e.refused.Load() { // dropped meanwhile, after forget
		slot.CompareAndSwap(e, nil)
	}
}

// forget is told what ristretto has no more. dead or refused is set before.
func (x *hot[V]) forget(e *entry[V]) {
	x.slots[e.hash%hotSlots].CompareAndSwap(e, nil)
}
