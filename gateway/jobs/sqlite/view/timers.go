package view

import (
	"container/heap"
	"sync"
	"time"

	"jobgate/gateway/jobs/engine"
)

// timers orders executions by the time at which they time out. An execution usually has one entry. Its record holds the
// entry's time in seconds (record.timer); an entry with another time is stale. If an entry expires before its execution is
// due, because the device has got more time, it is entered again with the new time.
type timers struct {
	mu   sync.Mutex
	heap timerHeap
	kept int // number of entries left after stale ones were last dropped
}

type timer struct {
	at    int64 // milliseconds
	thing uint32
	job   uint32 // slot
}

// again is how soon a due execution is checked again, unless it has ended.
const again = 5 * time.Second

// seconds returns the time by which a record identifies its entry.
func seconds(ms int64) uint32 { return uint32(ms / 1000) }

func (t *timers) push(e timer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	heap.Push(&t.heap, e)
}

// pop removes and returns the first entry if it is due at now. Else next is when it will be due; 0 if there is none.
func (t *timers) pop(now int64) (e timer, next int64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) == 0 {
		return timer{}, 0, false
	}
	if t.heap[0].at > now {
		return timer{}, t.heap[0].at, false
	}
	return heap.Pop(&t.heap).(timer), 0, true
}

// manyStale is the tolerated number of stale entries. An execution that ends before its time leaves an entry until that time,
// which may be a week later.
const manyStale = 4096

// grown removes and returns all entries if the heap has grown so much that most may be stale; else it returns nil.
func (t *timers) grown() timerHeap {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.heap) < 2*t.kept+manyStale {
		return nil
	}
	all := t.heap
	t.heap = nil
	return all
}

// keep puts entries back.
func (t *timers) keep(entries timerHeap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heap = append(entries, t.heap...)
	t.kept = len(t.heap)
	heap.Init(&t.heap)
}

// dropStale drops the entries of executions that have ended, once there are many.
func (v *View) dropStale() {
	all := v.timers.grown()
	if all == nil {
		return
	}
	n := 0
	for _, t := range all {
		if v.armed(t) {
			all[n] = t
			n++
		}
	}
	v.timers.keep(append(make(timerHeap, 0, n+n/4), all[:n]...))
}

// armed reports whether an entry is the current one of its execution.
func (v *View) armed(t timer) bool {
	hash := v.ids.get(t.thing)
	s := v.shardOf(hash)
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, _, ok := s.armed(hash, t)
	return ok
}

// armed returns the slots of an entry's thing and record. ok is false if the entry is stale. s.mu must be held.
func (s *shard) armed(hash uint32, t timer) (slot, at uint32, ok bool) {
	if slot, ok = s.findID(hash, t.thing); !ok {
		return 0, 0, false
	}
	at, ok = s.record(slot, t.job)
	return slot, at, ok && s.records[at].timer == seconds(t.at)
}

// Due returns up to limit executions whose timers have expired, and when to call it again; 0 if no timer is set.
func (v *View) Due(now int64, limit int) (list []engine.Execution, next int64) {
	v.dropStale()
	for len(list) < limit {
		t, first, ok := v.timers.pop(now)
		if !ok {
			return list, first
		}
		if e, ok := v.expired(t, now); ok {
			list = append(list, e)
		}
	}
	return list, now
}

// expired returns the execution of an expired entry, and whether it is due. It enters a pending execution again.
func (v *View) expired(t timer, now int64) (e engine.Execution, due bool) {
	hash := v.ids.get(t.thing)
	s := v.shardOf(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, at, ok := s.armed(hash, t)
	if !ok {
		return e, false
	}
	owner, r := &s.things[slot], &s.records[at]
	when := r.due()
	r.timer = 0
	if when == 0 {
		return e, false
	}
	if due = when <= now; due {
		e = r.execution(t.thing, string(s.name(owner)), v.Jobs.at(r.job).job.Load(), s.detailsOf(at, r))
		when = now + again.Milliseconds()
	}
	r.timer = seconds(when)
	v.timers.push(timer{at: when, thing: t.thing, job: t.job})
	return e, due
}

// timerHeap is a container/heap by time.
type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }

// Pop implements heap.Interface.
func (h *timerHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}
