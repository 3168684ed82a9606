package postgres

import (
	"hash/maphash"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"

	"jobgate/gateway/jobs/engine"
)

// maxJobs bounds the cached jobs. They are those that devices request.
const maxJobs = 4096

// jobCache keeps rows of jobs, so that an execution is read without its job's document and record. A row is identified by
// its version, which is read with each execution.
type jobCache struct {
	mu   sync.RWMutex
	jobs map[int64]*engine.Job
}

func newJobCache() jobCache { return jobCache{jobs: make(map[int64]*engine.Job)} }

// get returns the job's row of a version; nil if it is not cached.
func (c *jobCache) get(seq, version int64) *engine.Job {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if j := c.jobs[seq]; j != nil && j.Version == version {
		return j
	}
	return nil
}

// clear forgets all rows.
func (c *jobCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.jobs)
}

// put caches a row, unless a newer one is cached, and returns the cached row.
func (c *jobCache) put(j *engine.Job) *engine.Job {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch have := c.jobs[j.Seq]; {
	case have != nil && have.Version == j.Version:
		return have
	case have != nil && have.Version > j.Version:
		return j
	case have == nil && len(c.jobs) >= maxJobs:
		clear(c.jobs)
	}
	c.jobs[j.Seq] = j
	return j
}

// maxPlaces bounds the places: 36 MB.
const maxPlaces = 1 << 20

// places remembers where the rows of things are in their table, by the hashes of their names: block and number in it. A place
// may be out of date: an updated row moves, and another may take its place. So a row that is read by its place must have
// the expected name.
type places struct {
	mu   sync.Mutex
	max  int
	seed maphash.Seed
	rows map[uint64]uint64
}

func newPlaces(limit int) places {
	return places{max: limit, seed: maphash.MakeSeed(), rows: make(map[uint64]uint64)}
}

// find sets the known places of a batch's things and moves those to the front; n is how many.
func (p *places) find(batch []*read) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range batch {
		if row, ok := p.rows[maphash.String(p.seed, r.thing)]; ok {
			r.place = pgtype.TID{BlockNumber: uint32(row >> 16), OffsetNumber: uint16(row), Valid: true} //nolint:gosec // its parts
			batch[n], batch[i] = r, batch[n]
			n++
		}
	}
	return n
}

// keep remembers the places of a batch's things, and forgets those of things that were not found.
func (p *places) keep(batch []*read) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range batch {
		h := maphash.String(p.seed, r.thing)
		if !r.found {
			delete(p.rows, h)
			continue
		}
		p.rows[h] = uint64(r.place.BlockNumber)<<16 | uint64(r.place.OffsetNumber)
		if len(p.rows) <= p.max {
			continue
		}
		for any := range p.rows {
			delete(p.rows, any)
			break
		}
	}
}
