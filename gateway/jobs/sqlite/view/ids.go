package view

import "sync"

// idTable maps a thing's id to the hash of its name, and so to its position. Ids are dense, so it is an array of four bytes
// a thing. For an id that is not in the view the hash is arbitrary, which does no harm.
type idTable struct {
	mu     sync.RWMutex
	chunks []*[idChunk]uint32
}

const idChunk = 1 << 12

func (t *idTable) get(id uint32) (hash uint32) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if int(id/idChunk) >= len(t.chunks) || t.chunks[id/idChunk] == nil {
		return 0
	}
	return t.chunks[id/idChunk][id%idChunk]
}

func (t *idTable) set(id, hash uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for int(id/idChunk) >= len(t.chunks) {
		t.chunks = append(t.chunks, nil)
	}
	if t.chunks[id/idChunk] == nil {
		t.chunks[id/idChunk] = new([idChunk]uint32)
	}
	t.chunks[id/idChunk][id%idChunk] = hash
}
