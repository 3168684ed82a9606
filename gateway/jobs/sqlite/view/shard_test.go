package view

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// longestName is the length of the longest name that a thing may have.
const longestName = 128

// TestSizes checks the sizes from which the memory of a million things is computed.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(record{}); n != 64 {
		t.Errorf("a record has %d bytes, want 64", n)
	}
	if n := unsafe.Sizeof(thing{}); n != 32 {
		t.Errorf("a thing has %d bytes, want 32", n)
	}
}

// TestShard makes the same random changes to a shard and to a map, and compares them.
func TestShard(t *testing.T) {
	v := New()
	random := rand.New(rand.NewPCG(1, 2))
	s := new(shard)
	type state struct {
		id      uint32
		records map[uint32]uint32 // job → version
	}
	model := make(map[string]*state)
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("%0*d", 1+random.IntN(longestName), i)
	}
	for i := range 100_000 {
		name := names[random.IntN(len(names))]
		hash := v.hash(name) &^ (1<<17 - 1) // so that many collide
		slot, found := find(s, hash, name)
		want := model[name]
		if found != (want != nil) || (found && s.things[slot].id != want.id) {
			t.Fatalf("step %d: %q is in slot %d, %v, want %+v", i, name, slot, found, want)
		}
		if found {
			if byID, ok := s.findID(hash, want.id); !ok || byID != slot {
				t.Fatalf("step %d: %d is in slot %d, %v, want %d", i, want.id, byID, ok, slot)
			}
		}
		job := uint32(random.IntN(5))
		switch {
		case !found:
			s.add(hash, uint32(i)+1, name)
			model[name] = &state{uint32(i) + 1, make(map[uint32]uint32)}
		case random.IntN(3) == 0 && len(want.records) == 0:
			s.remove(slot)
			delete(model, name)
		case random.IntN(2) == 0:
			details := ""
			flags := uint8(0)
			if random.IntN(2) == 0 {
				details, flags = fmt.Sprint(i), flagDetails
			}
			at := s.put(slot, record{job: job, version: uint32(i), flags: flags}, details)
			if s.detailsOf(at, &s.records[at]) != details {
				t.Fatalf("step %d: details are %q", i, s.detailsOf(at, &s.records[at]))
			}
			want.records[job] = uint32(i)
		default:
			s.drop(slot, job)
			delete(want.records, job)
		}
		if i%1000 == 0 {
			for name, want := range model {
				have := make(map[uint32]uint32)
				slot, _ := find(s, v.hash(name)&^(1<<17-1), name)
				for at := s.things[slot].head; at != 0; at = s.records[at-1].next {
					have[s.records[at-1].job] = s.records[at-1].version
				}
				if fmt.Sprint(have) != fmt.Sprint(want.records) {
					t.Fatalf("step %d: %q has %v, want %v", i, name, have, want.records)
				}
			}
		}
	}
	if len(s.things) > 3*len(names) || len(s.records) > 5*len(names) || len(s.names) > 2*len(names)*longestName {
		t.Errorf("%d things, %d records, %d bytes of names: freed space is not reused", len(s.things), len(s.records), len(s.names))
	}
}

// TestIDs checks ids at the bounds of chunks, and one beyond the table.
func TestIDs(t *testing.T) {
	var ids idTable
	for _, hash := range []uint32{0, 1<<32 - 1, 77} {
		for _, id := range []uint32{1, idChunk - 1, idChunk, 5 * idChunk} {
			ids.set(id, hash)
			if got := ids.get(id); got != hash {
				t.Errorf("id %d has the hash %d, want %d", id, got, hash)
			}
		}
	}
	if got := ids.get(1 << 31); got != 0 {
		t.Errorf("an unknown id has the hash %d, want 0", got)
	}
}
