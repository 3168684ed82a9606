package s3host

import "sync/atomic"

// table remembers a few values by hash and forgets others for them. A hash has four
// places, so that two values in use at the same time do not push each other out. Safe
// for concurrent use; a value that is lost in a race is only made again.
type table[V any] struct{ slots [tableSlots]atomic.Pointer[V] }

const (
	tableSlots = 128
	tableWays  = 4
)

// places returns where a value of that hash may be.
func (t *table[V]) places(hash uint64) []atomic.Pointer[V] {
	first := hash % (tableSlots / tableWays) * tableWays
	return t.slots[first : first+tableWays]
}

// put stores a value in a free place of its hash, or in that of another.
func (t *table[V]) put(hash uint64, v *V) {
	places := t.places(hash)
	for i := range places {
		if places[i].CompareAndSwap(nil, v) {
			return
		}
	}
	places[hash>>32%tableWays].Store(v)
}
