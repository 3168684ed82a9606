package sqlite

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"jobgate/gateway/jobs"
)

// entry is a job in the view: one that is active, or has executions that have not ended.
type entry struct {
	seq  int64  // jobs.seq
	slot uint32 // in the table
	job  atomic.Pointer[jobs.Job]

	mu       sync.Mutex
	progress jobs.Progress
}

func (e *entry) getProgress() jobs.Progress {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.progress
}

// jobTable finds jobs by slot, without a lock, and by name.
type jobTable struct {
	chunks atomic.Pointer[[]*jobChunk]

	mu     sync.RWMutex
	byID   map[string]*entry
	bySeq  map[int64]*entry // only the writer reads it
	free   []uint32
	next   uint32
	totals jobs.Counts // of all jobs of the store, in the view or not
}

const jobChunkBits = 8

type jobChunk [1 << jobChunkBits]atomic.Pointer[entry]

// at returns the job in a slot, of which a record that is in the view says that it is there.
func (t *jobTable) at(slot uint32) *entry {
	return (*t.chunks.Load())[slot>>jobChunkBits][slot&(1<<jobChunkBits-1)].Load()
}

// get returns a job by its name; nil if it is not in the view.
func (t *jobTable) get(id string) *entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// add gives a job a slot.
func (t *jobTable) add(seq int64, j *jobs.Job, p jobs.Progress) {
	e := &entry{seq: seq, progress: p}
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
	t.byID[j.ID], t.bySeq[seq] = e, e
	(*t.chunks.Load())[e.slot>>jobChunkBits][e.slot&(1<<jobChunkBits-1)].Store(e)
}

// room makes the table reach slot.
func (t *jobTable) room(slot uint32) {
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

// set shows a job's new state; a job that is not in the view comes into it with its progress.
func (t *jobTable) set(seq int64, j *jobs.Job, p jobs.Progress) {
	if e := t.bySeq[seq]; e != nil {
		e.job.Store(j)
		return
	}
	t.add(seq, j, p)
}

// retire takes a job out that has no work before it and no execution that has not ended.
func (t *jobTable) retire(seq int64) {
	e := t.bySeq[seq]
	if e == nil || isActive(e.job.Load()) {
		return
	}
	if p := e.getProgress(); p.Counts.Pending() == 0 {
		t.remove(e)
	}
}

// remove takes a job out.
func (t *jobTable) remove(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, e.job.Load().ID)
	delete(t.bySeq, e.seq)
	t.free = append(t.free, e.slot)
}

// active lists the jobs with work before them, by creation.
func (t *jobTable) active() []*jobs.Job {
	t.mu.RLock()
	entries := make([]*entry, 0, len(t.byID))
	for _, e := range t.byID {
		if isActive(e.job.Load()) {
			entries = append(entries, e)
		}
	}
	t.mu.RUnlock()
	slices.SortFunc(entries, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	list := make([]*jobs.Job, len(entries))
	for i, e := range entries {
		list[i] = e.job.Load()
	}
	return list
}

// isActive says whether a job has work before it: jobs.JobStore.ActiveJobs.
func isActive(j *jobs.Job) bool { return !j.Status.Terminal() || j.Sweep != jobs.SweepNone }

// count adds a change to a job's counts and to the totals.
func (t *jobTable) count(seq int64, delta *jobs.Counts) {
	if e := t.bySeq[seq]; e != nil {
		e.mu.Lock()
		for i, n := range delta {
			e.progress.Counts[i] += n
		}
		e.mu.Unlock()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, n := range delta {
		t.totals[i] += n
	}
}

func (t *jobTable) getTotals() jobs.Counts {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.totals
}
