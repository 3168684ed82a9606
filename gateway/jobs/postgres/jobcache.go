package postgres

import (
	"sync"

	"jobgate/gateway/jobs/engine"
)

// maxJobs bounds the jobs that are kept. They are those that devices ask for.
const maxJobs = 4096

// jobCache keeps rows of jobs, so that an execution is read without its job's document and record. A row is known by its
// version: who reads an execution reads the version with it.
type jobCache struct {
	mu   sync.RWMutex
	jobs map[int64]*engine.Job
}

func newJobCache() jobCache { return jobCache{jobs: make(map[int64]*engine.Job)} }

// get returns the job's row of a version; nil if it is not here.
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

// put keeps a row, unless a newer one is here, and returns the row that stands for its version.
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
