package signing

import "sync/atomic"

// Slot holds a template's state in the current quantum: how it is signed, how often it was requested, and its rendering if
// that is often. The zero value is ready for use.
//
//	requested ──► signed into the answer ──► the keepFrom-th time in a quantum: rendered once more, and kept
//	              the next quantum ──► kept at once, if the one before had keepFrom requests
//
// Creating, keeping and collecting a rendering costs more than signing three answers. With 100,000 documents requested at
// random, most are not requested again within the second that their URLs begin in.
type Slot struct {
	Offset int64 // seconds by which its quanta are shifted, so that not all templates render at once; ≥ 0

	quantum  atomic.Pointer[Quantum]
	kept     atomic.Pointer[Rendering]
	asks     atomic.Uint32 // in this quantum, up to keepFrom
	frequent atomic.Bool   // the last quantum had keepFrom requests
}

const (
	keepFrom = 4  // requests in a quantum
	keepFor  = 16 // quanta with fewer requests until the rendering is dropped
)

// Current returns the last quantum, nil if there is none yet.
func (s *Slot) Current() *Quantum { return s.quantum.Load() }

// renderingBytes is the size of a Rendering without its body.
const renderingBytes = 96

// Kept returns the bytes of memory that s keeps alive, for a cache's budget.
func (s *Slot) Kept() int {
	m := s.kept.Load()
	if m == nil {
		return 0
	}
	return renderingBytes + cap(m.Body) + cap(m.ETag)
}

// turn replaces old with present as the slot's quantum, unless another request was faster, or present is an earlier quantum
// because this request read the clock earlier. It returns the quantum to sign with, and whether it dropped a rendering.
func (s *Slot) turn(old, present *Quantum, length int64) (q *Quantum, dropped bool) {
	switch {
	case old == nil:
	case old.Begin == present.Begin && old.expires == present.expires && old.Grant.Signer == present.Grant.Signer:
		return old, false // the same session
	case present.Begin < old.Begin && present.Begin >= old.Begin-length:
		return present, false
	}
	if !s.quantum.CompareAndSwap(old, present) {
		if q = s.quantum.Load(); q.Begin == present.Begin && q.expires == present.expires {
			return q, false
		}
		return present, false
	}
	s.frequent.Store(old != nil && s.asks.Load() >= keepFrom && present.Begin-old.Begin <= length)
	s.asks.Store(0)
	if m := s.kept.Load(); m != nil && present.Begin-m.Begin > keepFor*length {
		return present, s.kept.CompareAndSwap(m, nil)
	}
	return present, false
}

// count counts a request for a kept rendering, up to keepFrom.
func (s *Slot) count() {
	if s.asks.Load() < keepFrom {
		s.asks.Add(1)
	}
}

// worthKeeping counts a request without a kept rendering, and says whether to keep one from now on.
func (s *Slot) worthKeeping() bool { return s.asks.Add(1) >= keepFrom || s.frequent.Load() }
