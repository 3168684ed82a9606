package signing

import (
	"sync"
	"sync/atomic"
)

// kept is a slot's document in a quantum: shared by all requests, or in a buffer that they copy.
type kept struct {
	shared *Rendering // immutable; nil: the document is in the buffer

	quantum atomic.Pointer[Quantum] // of the buffer's content, written under filling
	filling sync.Mutex
	buffer  []byte // under filling

	seldom  atomic.Uint32 // quanta in a row with at least one request, but fewer than keepFrom
	bytes   atomic.Int64  // of memory, in addition to keptBytes
	resized atomic.Bool   // since Moment last reported it
}

// keptBytes is the size of a kept and a Rendering.
const keptBytes = 144

// share returns a kept with a shared document.
func share(m *Rendering) *kept {
	k := &kept{shared: m}
	k.bytes.Store(int64(cap(m.Body) + cap(m.ETag)))
	return k
}

// fill keeps body as the document of q. filling is held.
func (k *kept) fill(q *Quantum, body []byte) {
	k.buffer = append(k.buffer[:0], body...)
	if n := int64(cap(k.buffer)); k.bytes.Swap(n) != n {
		k.resized.Store(true)
	}
	k.quantum.Store(q)
}

// appendTo appends the kept document, if it is q's. It does not wait, because signing gives the same bytes.
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
