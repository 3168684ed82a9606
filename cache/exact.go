package cache

import "sync"

// exact is a map that keeps every entry up to a budget of bytes. Beyond that the oldest are
// evicted, but an entry requested since shrink last looked at it gets another round (CLOCK).
//
//	oldest ─▶ e ⇄ e ⇄ e ⇄ e ◀─ newest        the list, under mu
//	shards: hash ─▶ e                         read by get, each under its own lock
//
// An entry's cost does not change while it is in the map. put may leave the map over its
// budget until shrink.
// Two keys with the same hash are never both in the map: the later one wins.
type exact[V any] struct {
	shards  [exactShards]exactShard[V]
	evicted func(*entry[V]) // called under mu for each evicted entry; may be nil

	mu     sync.Mutex // taken before a shard's lock
	list   entry[V]   // sentinel of the ring: next is the oldest, prev the newest
	bytes  int64
	budget int64
}

const exactShards = 32

type exactShard[V any] struct {
	mu sync.RWMutex
	m  map[uint64]*entry[V]
	_  [32]byte // a cache line each
}

func newExact[V any](budget int64, evicted func(*entry[V])) *exact[V] {
	x := &exact[V]{budget: budget, evicted: evicted}
	x.reset()
	return x
}

func (x *exact[V]) reset() {
	for i := range x.shards {
		x.shards[i].m = make(map[uint64]*entry[V])
	}
	x.list.prev, x.list.next = &x.list, &x.list
	x.bytes = 0
}

// get returns the entry of key, or nil.
func (x *exact[V]) get(hash uint64, key []byte) *entry[V] {
	e := x.at(hash)
	if e == nil || !e.is(key) {
		return nil
	}
	return e
}

// put adds e, in place of an entry with the same hash, which is then dead. An entry larger
// than the whole budget is not added. The next call of shrink makes room for it.
func (x *exact[V]) put(e *entry[V]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	old := x.at(e.hash)
	x.link(e)
	if old != nil {
		old.dead.Store(true)
		x.unlink(old)
	}
}

// putBack is put for an entry that must not replace another. It reports whether it added e.
func (x *exact[V]) putBack(e *entry[V]) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return !e.dead.Load() && x.at(e.hash) == nil && x.link(e)
}

func (x *exact[V]) at(hash uint64) *entry[V] {
	s := x.shard(hash)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[hash]
}

func (x *exact[V]) link(e *entry[V]) bool {
	if e.cost.Load() > x.budget {
		return false
	}
	s := x.shard(e.hash)
	s.mu.Lock()
	s.m[e.hash] = e
	s.mu.Unlock()
	e.listed.Store(true)
	e.visited.Store(true)
	x.append(e)
	x.bytes += e.cost.Load()
	return true
}

// forget removes the entry of e's key, if there is one.
func (x *exact[V]) forget(e *entry[V]) {
	if own := x.at(e.hash); own != nil && own.sameKey(e) {
		x.remove(own)
	}
}

// remove removes e, if it is in the map.
func (x *exact[V]) remove(e *entry[V]) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.next != nil {
		x.unlink(e)
	}
}

// setBudget changes the budget of an empty map.
func (x *exact[V]) setBudget(budget int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.budget = budget
}

func (x *exact[V]) clear() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.list.next != &x.list {
		x.unlink(x.list.next)
	}
}

// shrink evicts entries until the rest fits. It ends because each turn removes an entry or
// clears the mark of one.
func (x *exact[V]) shrink() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.bytes > x.budget {
		e := x.list.next
		if e.visited.Swap(false) && e.next != &x.list {
			e.next.prev, e.prev.next = e.prev, e.next
			x.append(e)
			continue
		}
		x.unlink(e)
		if x.evicted != nil {
			x.evicted(e)
		}
	}
}

func (x *exact[V]) append(e *entry[V]) {
	e.prev, e.next = x.list.prev, &x.list
	e.prev.next, e.next.prev = e, e
}

func (x *exact[V]) unlink(e *entry[V]) {
	s := x.shard(e.hash)
	s.mu.Lock()
	if s.m[e.hash] == e {
		delete(s.m, e.hash)
	}
	s.mu.Unlock()
	e.next.prev, e.prev.next = e.prev, e.next
	e.prev, e.next = nil, nil
	e.listed.Store(false)
	x.bytes -= e.cost.Load()
}

// size returns the number of entries and their bytes.
func (x *exact[V]) size() (entries int, bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for e := x.list.next; e != &x.list; e = e.next {
		entries++
	}
	return entries, x.bytes
}

func (x *exact[V]) shard(hash uint64) *exactShard[V] { return &x.shards[(hash>>8)%exactShards] }
