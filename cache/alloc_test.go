//go:build !race

package cache

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Get allocates nothing, whatever it finds. (Ristretto allocates a buffer of 512 bytes for
// every 64 hits that it counts, which rounds to 0 allocations a Get.)
func TestGetAllocations(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "admitted", start, "v")
	wantGet(t, c, "admitted", start, "v", Fresh)
	wantLoad(t, c, "gone", start, brings("", errNotFound), "", errNotFound)
	full := newCache(t)
	crowd(t, full)
	mustLoad(t, full, "recent", start, "v")
	f := func(c *Cache[string], key string, now time.Time, want State) {
		t.Helper()
		k := []byte(key)
		var state State
		if n := testing.AllocsPerRun(2000, func() { _, state = c.Get(k, now) }); n != 0 || state != want {
			t.Errorf("unexpected Get(%q): %v allocations, %v; want 0, %v", key, n, state, want)
		}
	}
	f(c, "admitted", start, Fresh)
	f(c, "admitted", start.Add(40*time.Second), Due)
	f(c, "admitted", start.Add(time.Hour/2), Miss)
	f(full, "recent", start, Fresh)
	f(c, "gone", start, Negative)
	f(c, "unknown", start, Miss)
}

// Load allocates nothing when there is nothing to load, so a flood of missing names or an
// outage costs no more than the look-up.
func TestLoadAllocations(t *testing.T) {
	c := newCache(t)
	wantLoad(t, c, "gone", start, brings("", errNotFound), "", errNotFound)
	r := Request[string]{Key: []byte("gone"), Now: start, Source: "s3"}
	if n := testing.AllocsPerRun(2000, func() { _, _ = c.Load(t.Context(), r) }); n != 0 {
		t.Errorf("unexpected allocations: %v, want 0", n)
	}
}

func TestAppendPartAllocations(t *testing.T) {
	dst, part := make([]byte, 0, 64), []byte("thing-1")
	if n := testing.AllocsPerRun(1000, func() { _ = AppendPart(dst, part) }); n != 0 {
		t.Errorf("unexpected allocations: %v, want 0", n)
	}
}

// The budget bounds the memory that the process really holds: a cache that is filled twice
// over stays within it, for entries of any size.
func TestBudgetIsTrue(t *testing.T) {
	f := func(size int) {
		t.Helper()
		const budget = 16 << 20
		before := heap()
		c := newCache(t, func(cfg *Config[string]) { cfg.MaxBytes = budget })
		fixed := heap() - before
		for i := range 2 * budget / (size + entryOverhead) {
			key := fmt.Sprintf("%d", i)
			v, err := c.Load(context.Background(), Request[string]{
				Key: []byte(key), Now: start, Source: "s3", Loader: brings(strings.Repeat("x", size), nil),
			})
			if err != nil || len(v) != size {
				t.Fatalf("cannot load: %v", err)
			}
		}
		held := heap() - before - fixed
		s := c.Stats()
		t.Logf("values of %5d bytes: %6d entries, %d bytes counted, %d held, %d fixed", size, s.Entries, s.Bytes, held, fixed)
		if s.Bytes > budget || held > budget*105/100 {
			t.Errorf("more than the budget of %d: %d bytes counted, %d held", budget, s.Bytes, held)
		}
		if s.Bytes < budget*8/10 {
			t.Errorf("the budget of %d is not used: %d", budget, s.Bytes)
		}
		runtime.KeepAlive(c)
	}
	f(16)
	f(256)
	f(4096)
	f(57344) // a size class of the allocator, like the others
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
