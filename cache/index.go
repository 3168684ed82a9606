package cache

import "sync/atomic"

// index finds ristretto's entries by hash, for readers without a lock: an open-addressing table. A look-up touches memory
// in one place; in ristretto's own map it touches three and takes a lock. With many entries, each place costs a hit 0.1 µs
// or more.
//
//	hash ─▶ slot, slot, … ─▶ entry     up to a free slot
//
// Whenever [Cache.mu] is free, it holds exactly what ristretto holds. Only the holder of that mutex may write.
type index[V any] struct {
	table atomic.Pointer[[]slot[V]] // its length is a power of two
	used  int                       // slots that are not free
	held  atomic.Int64              // entries
}

// slot is free, has an entry, or has lost it. A slot that has lost its entry may be reused for any hash.
type slot[V any] struct {
	tag   atomic.Uint64 // hash|tagged of the entry that it has or had; 0: free
	entry atomic.Pointer[entry[V]]
}

const (
	tagged   = 1 << 63
	minSlots = 256
)

// clear removes everything.
func (x *index[V]) clear() {
	table := make([]slot[V], minSlots)
	x.used = 0
	x.held.Store(0)
	x.table.Store(&table)
}

// get returns the entry with that hash, or nil.
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

// put adds e. No entry may have its hash.
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

// place puts e into the first slot without an entry, and reports whether that slot was free.
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

// remove removes e, if it is in the index.
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
