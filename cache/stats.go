package cache

import "sync/atomic"

// Stats are counts since [New] and sizes as of now.
type Stats struct {
	// Results of Get. Due counts as Stale.
	Hits, Stale, Negative, Misses uint64
	// Errors counts callers that waited in Load and got an error.
	Errors uint64
	// Loads counts calls of loaders, LoadErrors those that failed (ErrNotModified is no
	// failure), Rescues how often an old value was served because the source failed or was too slow.
	Loads, LoadErrors, Rescues uint64
	// Evictions counts values that were evicted to make room. Oversize counts values that the
	// budget cannot hold at all: each request for one of them is a load.
	Evictions, Oversize uint64
	// Entries and Bytes are the current size, errors included.
	Entries, Bytes int64
}

// Stats returns the counts. It takes about 20 ns for each entry that ristretto has not admitted.
func (c *Cache[V]) Stats() Stats {
	s := Stats{
		Hits: c.counts.hits.Load(), Stale: c.counts.stale.Load(),
		Negative: c.counts.negative.Load(), Misses: c.counts.misses.Load(),
		Errors: c.counts.errors.Load(), Loads: c.counts.loads.Load(),
		LoadErrors: c.counts.loadErrors.Load(), Rescues: c.counts.rescues.Load(),
		Evictions: c.counts.evictions.Load(), Oversize: c.counts.oversize.Load(),
	}
	s.Entries = c.index.held.Load()
	s.Bytes = c.main.MaxCost() - c.main.RemainingCost()
	for _, x := range []*exact[V]{c.recent, c.negative} {
		entries, bytes := x.size()
		s.Entries += int64(entries)
		s.Bytes += bytes
	}
	return s
}

// counts are written by every request, so each has a cache line of its own.
type counts struct {
	hits, stale, negative, misses      counter
	errors, loads, loadErrors, rescues counter
	evictions, oversize                counter
}

type counter struct {
	atomic.Uint64
	_ [56]byte
}
