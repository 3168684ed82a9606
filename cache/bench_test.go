package cache

import (
	"fmt"
	"hash/maphash"
	"testing"

	"github.com/dgraph-io/ristretto/v2"
)

// benchKeys are as long as a route with two path variables.
func benchKeys() [][]byte {
	keys := make([][]byte, 1000)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "route-3 download {channel:stable} thing-%06d job-2026-03-01", i)
	}
	return keys
}

func BenchmarkGet(b *testing.B) {
	c := newCache(b, func(cfg *Config[string]) { cfg.MaxBytes = 8 << 20 })
	keys := benchKeys()
	for _, k := range keys {
		mustLoad(b, c, string(k), start, "v")
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, state := c.Get(keys[i%len(keys)], start); state != Fresh {
				b.Fatal("unexpected miss")
			}
		}
	})
}

// BenchmarkGet_Ristretto is ristretto alone: it hashes the key, but neither compares it nor
// checks freshness.
func BenchmarkGet_Ristretto(b *testing.B) {
	c, err := ristretto.NewCache(&ristretto.Config[uint64, *entry[string]]{
		NumCounters: 1 << 14, MaxCost: 1 << 20, BufferItems: 64,
		KeyToHash: func(h uint64) (uint64, uint64) { return h, 0 },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	keys, seed := benchKeys(), maphash.MakeSeed()
	for _, k := range keys {
		c.Set(maphash.Bytes(seed, k), &entry[string]{}, 1)
	}
	c.Wait()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := c.Get(maphash.Bytes(seed, keys[i%len(keys)])); !ok {
				b.Fatal("unexpected miss")
			}
		}
	})
}

// BenchmarkGetHot asks for one key only, as a fleet does during a rollout.
func BenchmarkGetHot(b *testing.B) {
	c := newCache(b)
	key := benchKeys()[0]
	mustLoad(b, c, string(key), start, "v")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, state := c.Get(key, start); state != Fresh {
				b.Fatal("unexpected miss")
			}
		}
	})
}

// BenchmarkGetNegative asks for a name whose absence is remembered.
func BenchmarkGetNegative(b *testing.B) {
	c := newCache(b)
	key := benchKeys()[0]
	wantLoad(b, c, string(key), start, brings("", errNotFound), "", errNotFound)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, state := c.Get(key, start); state != Negative {
				b.Fatal("unexpected state")
			}
		}
	})
}
