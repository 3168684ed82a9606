package s3host

import "sync/atomic"

// table is a small cache of values by hash. A hash has four slots, so that two values in
// use at the same time do not evict each other. It is safe for concurrent use; a value
// lost in a race is just created again.
type table[V any] struct{ slots [tableSlots]atomic.Pointer[V] }

const (
	tableSlots = 128
	tableWays  = 4
)

// places returns the slots of a hash.
func (t *table[V]) places(hash uint64) []atomic.Pointer[V] {
	first := hash % (tableSlots / tableWays) * tableWays
	return t.slots[first : first+tableWays]
}

// put stores a value in a free slot of its hash, or replaces another.
func (t *table[V]) put(hash uint64, v *V) {
	places := t.places(hash)
	for i := range places {
		if places[i].CompareAndSwap(nil, v) {
			return
		}
	}
	places[hash>>32%tableWays].Store(v)
}
