// Package view keeps in memory what devices request from a store: the names of all things, and the executions that have not
// ended, in packed records of 64 bytes without pointers.
//
//	name ──hash──► shard ──► thing, 32 bytes ──► record, 64 bytes ──► record …
//	id ────ids───► hash                             └─ slot of its job ──► Jobs
//
// Only the store's writer changes a view, after a commit. Other goroutines may read it. A view does not use the database.
package view

import (
	"hash/maphash"

	"jobgate/gateway/jobs/engine"
)

// shards is the number of shards. It is high enough that readers and the writer seldom wait for each other.
const (
	shardBits = 8
	shards    = 1 << shardBits
)

// View answers devices' requests. The writer changes it after a commit; any goroutine may read it.
type View struct {
	seed   maphash.Seed
	shards [shards]shard
	ids    idTable
	Jobs   Jobs
	timers timers
}

// New returns an empty view.
func New() *View {
	return &View{
		seed: maphash.MakeSeed(),
		Jobs: Jobs{byID: make(map[string]*entry), bySeq: make(map[int64]*entry)},
	}
}

// hash locates a thing: the first bits select the shard, the others select where the search in it begins.
func (v *View) hash(name string) uint32 { return uint32(maphash.String(v.seed, name) >> 32) }

func (v *View) shardOf(hash uint32) *shard { return &v.shards[hash>>(32-shardBits)] }

// Pending appends a thing's executions to dst. It returns false if the thing is unknown.
func (v *View) Pending(dst []engine.Execution, name string) ([]engine.Execution, bool) {
	hash := v.hash(name)
	s := v.shardOf(hash)
	s.mu.RLock()
	defer s.mu.RUnlock()
	slot, ok := find(s, hash, name)
	if !ok {
		return dst, false
	}
	for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
		r := &s.records[at-1]
		dst = append(dst, r.execution(s.things[slot].id, name, v.Jobs.at(r.job).job.Load(), s.detailsOf(at-1, r)))
	}
	return dst, true
}

func (s *shard) detailsOf(at uint32, r *record) string {
	if r.flags&flagDetails == 0 {
		return ""
	}
	return s.details[at]
}

// Execution returns a thing's pending execution of a job.
func (v *View) Execution(name, jobID string) (engine.Execution, bool) {
	hash := v.hash(name)
	s := v.shardOf(hash)
	s.mu.RLock()
	defer s.mu.RUnlock()
	slot, ok := find(s, hash, name)
	if !ok {
		return engine.Execution{}, false
	}
	for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
		r := &s.records[at-1]
		if j := v.Jobs.at(r.job).job.Load(); j.ID == jobID {
			return r.execution(s.things[slot].id, name, j, s.detailsOf(at-1, r)), true
		}
	}
	return engine.Execution{}, false
}

// byID finds a thing by its id. It does not lock the shard, so only the writer may call it.
func (v *View) byID(id int64) (s *shard, slot uint32, ok bool) {
	hash := v.ids.get(uint32(id))
	s = v.shardOf(hash)
	slot, ok = s.findID(hash, uint32(id))
	return s, slot, ok
}

// AddThing adds a thing, unless it is known.
func (v *View) AddThing(id int64, name string) {
	if _, _, known := v.byID(id); known {
		return
	}
	hash := v.hash(name)
	v.ids.set(uint32(id), hash)
	s := v.shardOf(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(hash, uint32(id), name)
}

// RemoveThing removes a thing whose executions have ended.
func (v *View) RemoveThing(id int64) {
	s, slot, ok := v.byID(id)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(slot)
}

// Put publishes an execution that has not ended, and sets its timer, if its job is in the view.
func (v *View) Put(x *engine.Execution) {
	e := v.Jobs.bySeq[x.Job]
	if e == nil {
		return
	}
	s, slot, ok := v.byID(x.Thing)
	if !ok {
		return
	}
	rec := recordOf(x, e.slot)
	s.mu.Lock()
	at := s.put(slot, rec, x.Details)
	due, armed := rec.due(), s.records[at].timer
	arm := due != 0 && (armed == 0 || seconds(due) < armed)
	if arm {
		s.records[at].timer = seconds(due)
	}
	s.mu.Unlock()
	if arm {
		v.timers.push(timer{at: due, thing: uint32(x.Thing), job: e.slot})
	}
}

// Drop removes an execution that has ended.
func (v *View) Drop(thing, job int64) {
	e := v.Jobs.bySeq[job]
	if e == nil {
		return
	}
	s, slot, ok := v.byID(thing)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(slot, e.slot)
}
