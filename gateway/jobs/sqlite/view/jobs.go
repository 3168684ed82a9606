package view

import (
	"slices"
	"sync"
	"sync/atomic"

	"jobgate/gateway/jobs/engine"
)

// entry is a job in the view.
type entry struct {
	seq  int64  // jobs.seq
	slot uint32 // in the table
	job  atomic.Pointer[engine.Job]

	mu    sync.Mutex
	shown engine.Progress
}

// state returns the job with its progress, which is at least as new as the job, because the job is read first.
func (e *entry) state() engine.State {
	j := e.job.Load()
	return engine.State{Job: j, Progress: e.getProgress()}
}

func (e *entry) getProgress() engine.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.shown
}

// Jobs holds the jobs that are active or have executions that have not ended. It finds them by slot, without a lock, and by
// name.
type Jobs struct {
	chunks atomic.Pointer[[]*jobChunk]

	mu     sync.RWMutex
	byID   map[string]*entry
	bySeq  map[int64]*entry // only the writer reads it
	free   []uint32
	next   uint32
	totals engine.Counts // of all jobs of the store, in the view or not
}

const jobChunkBits = 8

type jobChunk [1 << jobChunkBits]atomic.Pointer[entry]

// at returns the job in a slot. A record in the view must refer to that slot.
func (t *Jobs) at(slot uint32) *entry {
	return (*t.chunks.Load())[slot>>jobChunkBits][slot&(1<<jobChunkBits-1)].Load()
}

// Get returns a job by its name; false if it is not in the view.
func (t *Jobs) Get(id string) (engine.State, bool) {
	t.mu.RLock()
	e := t.byID[id]
	t.mu.RUnlock()
	if e == nil {
		return engine.State{}, false
	}
	return e.state(), true
}

// Add gives a job a slot.
func (t *Jobs) Add(j *engine.Job, p engine.Progress) {
	e := &entry{seq: j.Seq, shown: p}
	e.job.Store(j)
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.free); n > 0 {
		e.slot, t.free = t.free[n-1], t.free[:n-1]
	} else {
		e.slot = t.next
		t.next++
		t.room(e.slot)
	}
	t.byID[j.ID], t.bySeq[j.Seq] = e, e
	(*t.chunks.Load())[e.slot>>jobChunkBits][e.slot&(1<<jobChunkBits-1)].Store(e)
}

// room grows the table so that it includes slot.
func (t *Jobs) room(slot uint32) {
	var chunks []*jobChunk
	if have := t.chunks.Load(); have != nil {
		chunks = *have
	}
	if int(slot>>jobChunkBits) < len(chunks) {
		return
	}
	chunks = append(slices.Clone(chunks), new(jobChunk))
	t.chunks.Store(&chunks)
}

// Set publishes a job's new state; a job that is not in the view is added with its progress.
func (t *Jobs) Set(j *engine.Job, p engine.Progress) {
	if e := t.bySeq[j.Seq]; e != nil {
		e.job.Store(j)
		return
	}
	t.Add(j, p)
}

// Retire removes a job if it is not active and all its executions have ended.
func (t *Jobs) Retire(seq int64) {
	e := t.bySeq[seq]
	if e == nil || e.job.Load().Active {
		return
	}
	if p := e.getProgress(); pendingIn(&p.Counts) == 0 {
		t.remove(e)
	}
}

// Remove removes a job, if it is in the view.
func (t *Jobs) Remove(seq int64) {
	if e := t.bySeq[seq]; e != nil {
		t.remove(e)
	}
}

func (t *Jobs) remove(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, e.job.Load().ID)
	delete(t.bySeq, e.seq)
	t.free = append(t.free, e.slot)
}

// SetProgress publishes a job's progress, except for its counts, which Count changes.
func (t *Jobs) SetProgress(seq int64, p engine.Progress) {
	if e := t.bySeq[seq]; e != nil {
		e.mu.Lock()
		p.Counts = e.shown.Counts
		e.shown = p
		e.mu.Unlock()
	}
}

// Count adds a change to a job's counts and to the totals.
func (t *Jobs) Count(seq int64, delta *engine.Counts) {
	if e := t.bySeq[seq]; e != nil {
		e.mu.Lock()
		for i, n := range delta {
			e.shown.Counts[i] += n
		}
		e.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, n := range delta {
		t.totals[i] += n
	}
}

// Totals returns the counts of all jobs of the store, in the view or not.
func (t *Jobs) Totals() engine.Counts {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.totals
}

// SetTotals sets the counts of all jobs of the store, in the view or not.
func (t *Jobs) SetTotals(c engine.Counts) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.totals = c
}

// pendingIn returns how many executions have not ended.
func pendingIn(c *engine.Counts) (n int64) {
	for _, v := range c[:engine.FirstEnded] {
		n += v
	}
	return n
}
