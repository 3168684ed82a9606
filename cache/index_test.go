package cache

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// The index behaves as a map does, through growth, slots that have lost their entries, and hashes that share a slot.
func TestIndexMatchesMap(t *testing.T) {
	f := func(name string, hash func() uint64) {
		t.Helper()
		var x index[int]
		x.clear()
		want := map[uint64]*entry[int]{}
		for i := range 50_000 {
			h := hash()
			e := want[h]
			if got := x.get(h); got != e {
				t.Fatalf("%s, step %d: get(%x) is %p, want %p", name, i, h, got, e)
			}
			if e == nil {
				e = &entry[int]{hash: h}
				want[h] = e
				x.put(e)
			} else if rand.IntN(3) > 0 {
				delete(want, h)
				x.remove(e)
				x.remove(e) // is not in
			}
		}
		n := 0
		for e := range x.all {
			if n++; want[e.hash] != e {
				t.Errorf("%s: all yields %x", name, e.hash)
			}
		}
		if n != len(want) || x.held.Load() != int64(n) {
			t.Errorf("%s: %d entries, %d held, want %d", name, n, x.held.Load(), len(want))
		}
		if slots := len(*x.table.Load()); slots > max(minSlots, 8*n) {
			t.Errorf("%s: %d slots for %d entries", name, slots, n)
		}
	}
	f("many", func() uint64 { return rand.Uint64N(20_000) * 0x9e3779b97f4a7c15 })
	f("few", func() uint64 { return rand.Uint64N(100) })
	f("in one row", func() uint64 { return rand.Uint64N(300) << 32 })
}

// Readers find an entry as long as it is in the index, whatever is added and removed meanwhile.
func TestIndexReadersTakeNoLock(t *testing.T) {
	var x index[int]
	x.clear()
	stays := make([]*entry[int], 100)
	for i := range stays {
		stays[i] = &entry[int]{hash: rand.Uint64()}
		x.put(stays[i])
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if e := stays[i%len(stays)]; x.get(e.hash) != e {
					t.Error("an entry is not found")
					return
				}
			}
		})
	}
	for range 100 {
		others := make([]*entry[int], rand.IntN(3000))
		for i := range others {
			others[i] = &entry[int]{hash: rand.Uint64()}
			x.put(others[i])
		}
		for _, e := range others {
			x.remove(e)
		}
	}
	close(done)
	readers.Wait()
}
