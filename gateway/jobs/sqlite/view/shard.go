package view

import (
	"encoding/binary"
	"sync"
)

// shard holds the things whose names hash to it. Slots are indices into its slices. The writer changes a shard under mu;
// others read under mu.
type shard struct {
	mu      sync.RWMutex
	things  []thing // open addressing by hash of the name, linear probing
	used    int     // things that are not empty
	names   []byte  // concatenated names that are longer than maxInPlace
	dead    int     // bytes of removed names
	records []record
	details map[uint32]string // by slot of the record

	freeRecord uint32 // head of the list of free records, as slot+1
}

// thing is a registered device, with its name if that fits. It has 32 bytes, so that two fit into a line of the processor's
// cache. A cache miss takes as long as the rest of a look-up; a look-up usually has one for the thing and one for the record.
type thing struct {
	id    uint32 // things.id; 0 = the slot is empty
	hash  uint32 // of the name
	head  uint32 // the first record, as slot+1
	chars uint8  // length of the name, at most 128
	text  [maxInPlace]byte
}

// maxInPlace is the longest name, in bytes, that is kept in its thing's text. For a longer one, text has its offset in names.
const maxInPlace = 19

// minTable is the smallest size of a shard's table. The table grows by half when it is three quarters full.
const minTable = 8

// home returns the slot where the search for a hash begins. It ignores the first bits, which select the shard.
func (s *shard) home(hash uint32) uint32 {
	return uint32(uint64(hash<<shardBits) * uint64(len(s.things)) >> 32)
}

// after returns the next slot; the first slot follows the last.
func (s *shard) after(slot uint32) uint32 {
	if slot++; int(slot) == len(s.things) {
		return 0
	}
	return slot
}

// find returns the slot of a thing by its name.
func find[T string | []byte](s *shard, hash uint32, name T) (slot uint32, ok bool) {
	if len(s.things) == 0 {
		return 0, false
	}
	for slot = s.home(hash); s.things[slot].id != 0; slot = s.after(slot) {
		if t := &s.things[slot]; t.hash == hash && string(s.name(t)) == string(name) {
			return slot, true
		}
	}
	return 0, false
}

// findID returns the slot of a thing by its id.
func (s *shard) findID(hash, id uint32) (slot uint32, ok bool) {
	if len(s.things) == 0 {
		return 0, false
	}
	for slot = s.home(hash); s.things[slot].id != 0; slot = s.after(slot) {
		if s.things[slot].id == id {
			return slot, true
		}
	}
	return 0, false
}

// name returns a thing's name, valid until the shard changes.
func (s *shard) name(t *thing) []byte {
	if t.chars <= maxInPlace {
		return t.text[:t.chars]
	}
	at := binary.NativeEndian.Uint32(t.text[:])
	return s.names[at:][:t.chars]
}

// add adds a new thing to the shard.
func (s *shard) add(hash, id uint32, name string) {
	if (s.used+1)*4 > len(s.things)*3 {
		s.grow()
	}
	t := thing{id: id, hash: hash, chars: uint8(len(name))}
	if len(name) <= maxInPlace {
		copy(t.text[:], name)
	} else {
		binary.NativeEndian.PutUint32(t.text[:], uint32(len(s.names)))
		s.names = append(s.names, name...)
	}
	s.place(&t)
	s.used++
}

// place copies a thing into its first free slot.
func (s *shard) place(t *thing) {
	slot := s.home(t.hash)
	for s.things[slot].id != 0 {
		slot = s.after(slot)
	}
	s.things[slot] = *t
}

// grow enlarges the table by half.
func (s *shard) grow() {
	old := s.things
	s.things = make([]thing, max(minTable, len(old)+len(old)/2))
	for i := range old {
		if old[i].id != 0 {
			s.place(&old[i])
		}
	}
}

// remove removes a thing without records.
func (s *shard) remove(slot uint32) {
	if chars := s.things[slot].chars; chars > maxInPlace {
		s.dead += int(chars)
	}
	s.things[slot] = thing{}
	s.used--
	// Move back the things that this one had displaced, so that their searches do not end at the gap.
	for at := s.after(slot); s.things[at].id != 0; at = s.after(at) {
		if s.steps(s.home(s.things[at].hash), at) >= s.steps(slot, at) {
			s.things[slot], s.things[at] = s.things[at], thing{}
			slot = at
		}
	}
	if s.dead > len(s.names)/2 {
		s.compact()
	}
}

// steps is the length of a search from one slot to another.
func (s *shard) steps(from, to uint32) int {
	if to < from {
		return int(to) + len(s.things) - int(from)
	}
	return int(to - from)
}

// compact rewrites the names without the removed ones.
func (s *shard) compact() {
	names := make([]byte, 0, len(s.names)-s.dead)
	for i := range s.things {
		t := &s.things[i]
		if t.id != 0 && t.chars > maxInPlace {
			at := uint32(len(names))
			names = append(names, s.name(t)...)
			binary.NativeEndian.PutUint32(t.text[:], at)
		}
	}
	s.names, s.dead = names, 0
}

// record returns the slot of the record for a thing and a job, given by their slots.
func (s *shard) record(slot, job uint32) (uint32, bool) {
	for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
		if s.records[at-1].job == job {
			return at - 1, true
		}
	}
	return 0, false
}

// put stores r as a thing's execution of r.job, and returns its slot. If it replaces a record, it keeps that record's timer.
func (s *shard) put(slot uint32, r record, details string) uint32 {
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
			s.details = make(map[uint32]string)
		}
		s.details[at] = details
	} else if s.details != nil {
		delete(s.details, at)
	}
	return at
}

// drop removes a thing's execution of a job.
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
