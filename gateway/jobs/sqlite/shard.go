package sqlite

import (
	"sync"

	"jobgate/gateway/jobs"
)

// shard holds the things whose names hash to it. Slots are indices into its slices; freed ones are used again. The
// writer changes a shard under mu; everybody else reads under mu.
type shard struct {
	mu      sync.RWMutex
	index   []uint32 // open addressing by hash of the name: slot+1 of a thing, 0 = empty
	used    int      // entries in index
	things  []thing
	names   []byte // of all things, one after the other
	dead    int    // bytes of names that belong to nobody
	records []record
	details map[uint32]jobs.StatusDetails // by slot of the record

	freeThing, freeRecord uint32 // heads of the lists of free slots, as slot+1
}

// thing is a registered device: 16 bytes.
type thing struct {
	id    uint32 // things.id; 0 = the slot is free
	name  uint32 // offset in names; of a free slot, the next free one
	head  uint32 // its first record, as slot+1
	chars uint8  // length of the name, at most 128
}

const minIndex = 8

// find returns the slot of a thing.
func find[T string | []byte](s *shard, hash uint64, name T) (uint32, bool) {
	if len(s.index) == 0 {
		return 0, false
	}
	mask := uint64(len(s.index) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		at := s.index[i]
		if at == 0 {
			return 0, false
		}
		t := &s.things[at-1]
		if int(t.chars) == len(name) && string(s.name(t)) == string(name) {
			return at - 1, true
		}
	}
}

func (s *shard) name(t *thing) []byte { return s.names[t.name : t.name+uint32(t.chars)] }

// add puts a thing that is not there into the shard and returns its slot. rehash hashes a name.
func (s *shard) add(hash uint64, id uint32, name string, rehash func([]byte) uint64) uint32 {
	if (s.used+1)*4 > len(s.index)*3 {
		s.grow(rehash)
	}
	t := thing{id: id, name: uint32(len(s.names)), chars: uint8(len(name))}
	s.names = append(s.names, name...)
	slot := s.freeThing
	if slot == 0 {
		s.things = append(s.things, t)
		slot = uint32(len(s.things))
	} else {
		s.freeThing = s.things[slot-1].name
		s.things[slot-1] = t
	}
	s.place(hash, slot)
	s.used++
	return slot - 1
}

// place enters a slot (plus one) into the index.
func (s *shard) place(hash uint64, slot uint32) {
	mask := uint64(len(s.index) - 1)
	i := hash & mask
	for s.index[i] != 0 {
		i = (i + 1) & mask
	}
	s.index[i] = slot
}

// grow doubles the index.
func (s *shard) grow(rehash func([]byte) uint64) {
	old := s.index
	s.index = make([]uint32, max(minIndex, 2*len(old)))
	for _, slot := range old {
		if slot != 0 {
			s.place(rehash(s.name(&s.things[slot-1])), slot)
		}
	}
}

// remove takes a thing without records out of the shard.
func (s *shard) remove(hash uint64, slot uint32, rehash func([]byte) uint64) {
	mask := uint64(len(s.index) - 1)
	i := hash & mask
	for s.index[i] != slot+1 {
		i = (i + 1) & mask
	}
	s.index[i] = 0
	// Entries that were pushed past i by it move back, so that a search does not end at the gap.
	for j := (i + 1) & mask; s.index[j] != 0; j = (j + 1) & mask {
		home := rehash(s.name(&s.things[s.index[j]-1])) & mask
		if (j-home)&mask >= (j-i)&mask {
			s.index[i], s.index[j] = s.index[j], 0
			i = j
		}
	}
	s.used--
	s.dead += int(s.things[slot].chars)
	s.things[slot] = thing{name: s.freeThing}
	s.freeThing = slot + 1
	if s.dead > len(s.names)/2 {
		s.compact()
	}
}

// compact writes the names anew, without those of the dead.
func (s *shard) compact() {
	names := make([]byte, 0, len(s.names)-s.dead)
	for i := range s.things {
		t := &s.things[i]
		if t.id != 0 {
			at := uint32(len(names))
			names = append(names, s.name(t)...)
			t.name = at
		}
	}
	s.names, s.dead = names, 0
}

// record returns the slot of a thing's execution of the job in a slot.
func (s *shard) record(slot, job uint32) (uint32, bool) {
	for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
		if s.records[at-1].job == job {
			return at - 1, true
		}
	}
	return 0, false
}

// put keeps r as a thing's execution of r.job, in place of the one before it, whose timer it inherits. It returns the
// record's slot.
func (s *shard) put(slot uint32, r record, details jobs.StatusDetails) uint32 {
	at, ok := s.record(slot, r.job)
	if ok {
		r.next, r.timer = s.records[at].next, s.records[at].timer
		s.records[at] = r
	} else {
		t := &s.things[slot]
		r.next = t.head
		if s.freeRecord == 0 {
			s.records = append(s.records, r)
			t.head = uint32(len(s.records))
		} else {
			t.head = s.freeRecord
			s.freeRecord = s.records[t.head-1].next
			s.records[t.head-1] = r
		}
		at = t.head - 1
	}
	if details != "" {
		if s.details == nil {
			s.details = make(map[uint32]jobs.StatusDetails)
		}
		s.details[at] = details
	} else if s.details != nil {
		delete(s.details, at)
	}
	return at
}

// drop forgets a thing's execution of a job.
func (s *shard) drop(slot, job uint32) {
	link := &s.things[slot].head
	for *link != 0 {
		at := *link - 1
		r := &s.records[at]
		if r.job != job {
			link = &r.next
			continue
		}
		*link = r.next
		if r.flags&flagDetails != 0 {
			delete(s.details, at)
		}
		*r = record{next: s.freeRecord}
		s.freeRecord = at + 1
		return
	}
}
