package cache

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fill loads n values of the given size under keys of their own.
func fill(tb testing.TB, c *Cache[string], n, size int) {
	tb.Helper()
	for i := range n {
		mustLoad(tb, c, fmt.Sprintf("fill-%d-%d", size, i), start, strings.Repeat("x", size))
	}
}

// crowd fills ristretto with popular entries, so that it refuses new ones.
func crowd(tb testing.TB, c *Cache[string]) {
	tb.Helper()
	const size = 1000
	budget := int(c.rules.Load().MaxBytes)
	n := budget/(size+entryOverhead) + 1
	for range 40 {
		for i := range n {
			key := fmt.Sprintf("crowd-%d", i)
			if _, state := c.Get([]byte(key), start); state == Miss {
				mustLoad(tb, c, key, start, strings.Repeat("x", size))
			}
		}
	}
	if free := c.main.RemainingCost(); free > int64(2*(size+entryOverhead)) {
		tb.Fatalf("ristretto is not full: %d bytes are free", free)
	}
}

// A new document that is asked for 2,000 times costs one load, though ristretto alone
// would refuse it for hundreds of requests.
func TestNewHotDocumentOnFullCache(t *testing.T) {
	c := newCache(t)
	crowd(t, c)
	loads := 0
	for i := range 2000 {
		if _, state := c.Get([]byte("new"), start); state == Fresh {
			continue
		}
		loads++
		mustLoad(t, c, "new", start, "document")
		if i > 0 {
			t.Logf("loaded again at request %d", i)
		}
	}
	if loads != 1 {
		t.Errorf("unexpected number of loads: %d, want 1", loads)
	}
	wantGet(t, c, "new", start, "document", Fresh)
	if e, ok := c.main.Get(c.hash([]byte("new"))); !ok || e.listed.Load() {
		t.Errorf("after 2,000 requests ristretto has it: %v, recent map has it: %v", ok, ok && e.listed.Load())
	}
	if s := c.Stats(); s.Bytes > 1<<20 {
		t.Errorf("unexpected size: %d bytes are more than the budget", s.Bytes)
	}
}

// The same while other clients each ask once for other documents.
func TestNewHotDocumentAmongSingleRequests(t *testing.T) {
	c := newCache(t)
	crowd(t, c)
	loads := 0
	for i := range 2000 {
		mustLoad(t, c, fmt.Sprintf("stranger-%d", i), start, strings.Repeat("x", 1000))
		if _, state := c.Get([]byte("new"), start); state != Fresh {
			loads++
			mustLoad(t, c, "new", start, "document")
		}
	}
	if loads != 1 {
		t.Errorf("unexpected number of loads: %d, want 1", loads)
	}
}

// Ristretto refuses the second of two unprocessed additions of a key, and keeps the first.
func TestReplacedBeforeAdmission(t *testing.T) {
	c := newCache(t)
	for i := range 2000 {
		key, now := fmt.Sprintf("k%d", i%7), start.Add(time.Duration(i)*time.Hour)
		mustLoad(t, c, key, now, fmt.Sprint("a", i))
		mustLoad(t, c, key, now.Add(2*time.Minute), fmt.Sprint("b", i))
		wantGet(t, c, key, now.Add(2*time.Minute), fmt.Sprint("b", i), Fresh)
	}
}

func TestOversize(t *testing.T) {
	c := newCache(t)
	big := strings.Repeat("x", 1<<20)
	mustLoad(t, c, "big", start, big)
	wantGet(t, c, "big", start, "", Miss)
	if s := c.Stats(); s.Oversize != 1 || s.Bytes != 0 || s.Entries != 0 {
		t.Errorf("unexpected stats: %+v", s)
	}
	// Too large for the recent map, but ristretto admits it.
	mustLoad(t, c, "large", start, big[:1<<19])
	wantGet(t, c, "large", start, big[:1<<19], Fresh)
}

func TestResize(t *testing.T) {
	c := newCache(t)
	for i := range 500 {
		key := fmt.Sprint(i)
		mustLoad(t, c, key, start, "template")
		c.Resize([]byte(key), 4000)
		wantGet(t, c, key, start, "template", Fresh)
	}
	if s := c.Stats(); s.Bytes > 1<<20 || s.Bytes < 800_000 || s.Entries > 250 {
		t.Errorf("unexpected stats: %+v", s)
	}
	c.Resize([]byte("nobody"), 1000)
}

func TestResizeIsCounted(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "k", start, "template")
	before := c.Stats().Bytes
	f := func(extra, want int64) {
		t.Helper()
		c.Resize([]byte("k"), extra)
		wantGet(t, c, "k", start, "template", Fresh)
		if got := c.Stats().Bytes - before; got != want {
			t.Errorf("unexpected growth after Resize(%d): %d, want %d", extra, got, want)
		}
	}
	f(8000, 9000)
	f(8900, 9000) // already covered
	f(7000, 9000) // close enough
	f(100, 112)
	f(16000, 18000)
	f(0, 0)
	c.Resize([]byte("k"), 1<<21) // more than the cache can hold
	wantGet(t, c, "k", start, "", Miss)
	if s := c.Stats(); s.Bytes != 0 || s.Oversize != 1 {
		t.Errorf("unexpected stats: %+v", s)
	}
}

// A flood of names that do not exist evicts no values and does not grow without bound.
func TestNegativeBudget(t *testing.T) {
	c := newCache(t)
	crowd(t, c)
	evictions := c.Stats().Evictions
	for i := range 5000 {
		wantLoad(t, c, fmt.Sprintf("flood-%d", i), start, brings("", errNotFound), "", errNotFound)
	}
	if _, bytes := c.negative.size(); bytes > 1<<14 {
		t.Errorf("unexpected size of the negative map: %d", bytes)
	}
	if got := c.Stats().Evictions; got != evictions {
		t.Errorf("errors evicted %d values", got-evictions)
	}
}
