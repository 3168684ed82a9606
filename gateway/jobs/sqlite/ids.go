package sqlite

import "sync"

// idTable says where a thing is, by its id. Ids are dense, so it is an array, of four bytes a thing.
type idTable struct {
	mu     sync.RWMutex
	chunks []*[idChunk]uint32
}

const idChunk = 1 << 12

// pack returns p in four bytes: the shard, and the slot plus one. A shard has fewer than 2²⁴ things.
func (p place) pack() uint32 { return p.shard<<(32-shardBits) | (p.slot + 1) }

func unpack(n uint32) (place, bool) {
	slot := n & (1<<(32-shardBits) - 1)
	return place{n >> (32 - shardBits), slot - 1}, slot != 0
}

func (t *idTable) get(id uint32) (place, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if int(id/idChunk) >= len(t.chunks) || t.chunks[id/idChunk] == nil {
		return place{}, false
	}
	return unpack(t.chunks[id/idChunk][id%idChunk])
}

func (t *idTable) set(id uint32, p place) { t.store(id, p.pack()) }

func (t *idTable) clear(id uint32) { t.store(id, 0) }

func (t *idTable) store(id, packed uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for int(id/idChunk) >= len(t.chunks) {
		t.chunks = append(t.chunks, nil)
	}
	if t.chunks[id/idChunk] == nil {
		t.chunks[id/idChunk] = new([idChunk]uint32)
	}
	t.chunks[id/idChunk][id%idChunk] = packed
}
