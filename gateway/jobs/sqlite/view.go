package sqlite

import (
	"hash/maphash"
	"slices"

	"jobgate/gateway/jobs"
)

// shards is how many parts the things are divided into: enough that readers and the writer seldom meet.
const (
	shardBits = 8
	shards    = 1 << shardBits
)

// view is what the store answers devices from. The writer changes it after a commit; everybody may read it.
type view struct {
	seed   maphash.Seed
	shards [shards]shard
	ids    idTable
	jobs   jobTable
	timers timers
}

func newView() *view {
	return &view{
		seed: maphash.MakeSeed(),
		jobs: jobTable{byID: make(map[string]*entry), bySeq: make(map[int64]*entry)},
	}
}

// place is where a thing is: its shard, and its slot there.
type place struct {
	shard uint32
	slot  uint32
}

// shardOf returns the shard of a hash; the shard itself uses the other bits.
func (v *view) shardOf(hash uint64) (*shard, uint32) {
	n := uint32(hash >> (64 - shardBits))
	return &v.shards[n], n
}

func (v *view) rehash(name []byte) uint64 { return maphash.Bytes(v.seed, name) }

// pending appends a thing's executions to dst, in the order of jobs.Execution.Before; false if it is unknown.
func (v *view) pending(dst []jobs.Execution, name string) ([]jobs.Execution, bool) {
	hash := maphash.String(v.seed, name)
	s, _ := v.shardOf(hash)
	s.mu.RLock()
	defer s.mu.RUnlock()
	slot, ok := find(s, hash, name)
	if !ok {
		return dst, false
	}
	from := len(dst)
	for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
		r := &s.records[at-1]
		dst = append(dst, r.execution(name, v.jobs.at(r.job).job.Load(), s.detailsOf(at-1, r)))
	}
	if len(dst)-from > 1 {
		slices.SortFunc(dst[from:], func(a, b jobs.Execution) int {
			if a.Before(&b) {
				return -1
			}
			return 1
		})
	}
	return dst, true
}

func (s *shard) detailsOf(at uint32, r *record) jobs.StatusDetails {
	if r.flags&flagDetails == 0 {
		return ""
	}
	return s.details[at]
}

// execution returns a thing's pending execution of a job.
func (v *view) execution(name, jobID string) (jobs.Execution, bool) {
	hash := maphash.String(v.seed, name)
	s, _ := v.shardOf(hash)
	s.mu.RLock()
	defer s.mu.RUnlock()
	slot, ok := find(s, hash, name)
	if !ok {
		return jobs.Execution{}, false
	}
	for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
		r := &s.records[at-1]
		if j := v.jobs.at(r.job).job.Load(); j.ID == jobID {
			return r.execution(name, j, s.detailsOf(at-1, r)), true
		}
	}
	return jobs.Execution{}, false
}

// locate finds a thing's id and its pending execution's job. Only the writer calls it: it takes no lock.
func (v *view) locate(name, jobID string) (id int64, e *entry, ok bool) {
	hash := maphash.String(v.seed, name)
	s, _ := v.shardOf(hash)
	slot, ok := find(s, hash, name)
	if !ok {
		return 0, nil, false
	}
	for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
		if e := v.jobs.at(s.records[at-1].job); e.job.Load().ID == jobID {
			return int64(s.things[slot].id), e, true
		}
	}
	return 0, nil, false
}

// nameOf returns the name of a thing by its id; "" if it is unknown. Only the writer calls it.
func (v *view) nameOf(id int64) string {
	p, ok := v.ids.get(uint32(id))
	if !ok {
		return ""
	}
	s := &v.shards[p.shard]
	return string(s.name(&s.things[p.slot]))
}

// addThing makes a thing known.
func (v *view) addThing(id int64, name string) {
	hash := maphash.String(v.seed, name)
	s, n := v.shardOf(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.add(hash, uint32(id), name, v.rehash)
	v.ids.set(uint32(id), place{n, slot})
}

// removeThing forgets a thing, whose executions have ended.
func (v *view) removeThing(id int64) {
	p, ok := v.ids.get(uint32(id))
	if !ok {
		return
	}
	v.ids.clear(uint32(id))
	s := &v.shards[p.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(v.rehash(s.name(&s.things[p.slot])), p.slot, v.rehash)
}

// put shows an execution that has not ended, and sets its timer.
func (v *view) put(r *row, e *entry) {
	p, ok := v.ids.get(uint32(r.thing))
	if !ok {
		return
	}
	rec := r.record(e.slot)
	s := &v.shards[p.shard]
	s.mu.Lock()
	at := s.put(p.slot, rec, r.details)
	due, armed := rec.due(), s.records[at].timer
	arm := due != 0 && (armed == 0 || seconds(due) < armed)
	if arm {
		s.records[at].timer = seconds(due)
	}
	s.mu.Unlock()
	if arm {
		v.timers.push(timer{at: due, thing: uint32(r.thing), job: e.slot})
	}
}

// drop hides an execution that has ended.
func (v *view) drop(thing int64, e *entry) {
	p, ok := v.ids.get(uint32(thing))
	if !ok {
		return
	}
	s := &v.shards[p.shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(p.slot, e.slot)
}
