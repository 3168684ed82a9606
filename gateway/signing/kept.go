package signing

import (
	"sync"
	"sync/atomic"
)

// kept is the document of a slot as it stands in a quantum: shared by who asks, or in a buffer that they copy.
type kept struct {
	shared *Rendering // immutable; nil: the document is in the buffer

	quantum atomic.Pointer[Quantum] // of what is in the buffer, written under filling
	filling sync.Mutex
	buffer  []byte // under filling

	seldom  atomic.Uint32 // quanta in a row in which it was asked for less than keepFrom times, though once
	bytes   atomic.Int64  // of memory, beside keptBytes
	resized atomic.Bool   // since anybody was told
}

// keptBytes is what a kept takes, and a Rendering.
const keptBytes = 144

// share returns a kept with a document for all.
func share(m *Rendering) *kept {
	k := &kept{shared: m}
	k.bytes.Store(int64(cap(m.Body) + cap(m.ETag)))
	return k
}

// fill keeps body as q's. filling is held.
func (k *kept) fill(q *Quantum, body []byte) {
	k.buffer = append(k.buffer[:0], body...)
	if n := int64(cap(k.buffer)); k.bytes.Swap(n) != n {
		k.resized.Store(true)
	}
	k.quantum.Store(q)
}

// appendTo appends what is kept, if it is q's. It does not wait: to sign gives the same bytes.
func (k *kept) appendTo(dst []byte, q *Quantum) (all []byte, ok bool) {
	if k.quantum.Load() != q || !k.filling.TryLock() {
		return dst, false
	}
	defer k.filling.Unlock()
	if k.quantum.Load() != q {
		return dst, false
	}
	return append(dst, k.buffer...), true
}
