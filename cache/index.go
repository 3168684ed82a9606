package cache

import "sync/atomic"

// index finds what ristretto holds by its hash, for readers that take no lock: an open table, read in one place where
// ristretto's own map takes three and a lock. Of many entries, each place costs a hit 0.1 µs and more.
//
//	hash ─▶ slot, slot, … ─▶ entry     up to a free slot
//
// It has exactly what ristretto has, whenever [Cache.mu] is free. Only who holds that may write.
type index[V any] struct {
	table atomic.Pointer[[]slot[V]] // its length is a power of two
	used  int                       // slots that are not free
	held  atomic.Int64              // entries
}

// slot is free, has an entry, or has lost it. One that has lost it may take another of any hash.
type slot[V any] struct {
	tag   atomic.Uint64 // hash|tagged of the entry that it has or had; 0: free
	entry atomic.Pointer[entry[V]]
}

const (
	tagged   = 1 << 63
	minSlots = 256
)

// clear forgets everything.
func (x *index[V]) clear() {
	table := make([]slot[V], minSlots)
	x.used = 0
	x.held.Store(0)
	x.table.Store(&table)
}

// get returns the entry of that hash, or nil.
func (x *index[V]) get(hash uint64) *entry[V] {
	table := *x.table.Load()
	for i := range uint64(len(table)) {
		s := &table[(hash+i)%uint64(len(table))]
		switch s.tag.Load() {
		case 0:
			return nil
		case hash | tagged:
			if e := s.entry.Load(); e != nil && e.hash == hash {
				return e
			}
		}
	}
	return nil
}

// put adds e. There is none of its hash.
func (x *index[V]) put(e *entry[V]) {
	if table := *x.table.Load(); (x.used+1)*3 > len(table)*2 {
		x.rebuild(len(table))
	}
	if place(*x.table.Load(), e) {
		x.used++
	}
	x.held.Add(1)
}

// rebuild makes a table without the slots that have lost their entries, twice as long if that is not enough.
func (x *index[V]) rebuild(length int) {
	if x.held.Load()*3 > int64(length) {
		length *= 2
	}
	table := make([]slot[V], length)
	x.used = 0
	for e := range x.all {
		place(table, e)
		x.used++
	}
	x.table.Store(&table)
}

// place puts e into the first slot that has no entry, and reports whether that was a free one.
func place[V any](table []slot[V], e *entry[V]) (free bool) {
	for i := e.hash; ; i++ {
		if s := &table[i%uint64(len(table))]; s.entry.Load() == nil {
			free = s.tag.Load() == 0
			s.tag.Store(e.hash | tagged)
			s.entry.Store(e)
			return free
		}
	}
}

// remove takes e out, if it is in.
func (x *index[V]) remove(e *entry[V]) {
	table := *x.table.Load()
	for i := e.hash; ; i++ {
		s := &table[i%uint64(len(table))]
		if s.tag.Load() == 0 {
			return
		}
		if s.entry.Load() == e {
			s.entry.Store(nil)
			x.held.Add(-1)
			return
		}
	}
}

// all yields every entry.
func (x *index[V]) all(yield func(*entry[V]) bool) {
	table := *x.table.Load()
	for i := range table {
		if e := table[i].entry.Load(); e != nil && !yield(e) {
			return
		}
	}
}
