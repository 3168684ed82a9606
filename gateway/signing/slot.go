package signing

import "sync/atomic"

// Slot holds a template's state in the present quantum: how it is signed, how often it was asked for, and its rendering if
// that is often. Its zero value is ready.
//
//	asked for ──► signed into the answer ──► the keepFrom-th time in a quantum: rendered once more, and kept
//	              the next quantum ──► kept at once, if the one before had as many
//
// To make, keep and collect a rendering costs more than to sign into three answers: of 100,000 documents asked for at
// random most are not asked for again in the second that their URLs begin in.
type Slot struct {
	Offset int64 // seconds by which its quanta begin off the round ones, so that not all templates render at once; ≥ 0

	quantum  atomic.Pointer[Quantum]
	kept     atomic.Pointer[Rendering]
	asks     atomic.Uint32 // in this quantum, up to keepFrom
	frequent atomic.Bool   // the quantum before had keepFrom
}

const (
	keepFrom = 4  // asks in a quantum
	keepFor  = 16 // quanta without as many: then what was kept is dropped
)

// Current returns the last quantum, nil if there is none yet.
func (s *Slot) Current() *Quantum { return s.quantum.Load() }

// renderingBytes is what a Rendering takes beside its body.
const renderingBytes = 96

// Kept returns the bytes of memory that s keeps alive, for a cache's budget.
func (s *Slot) Kept() int {
	m := s.kept.Load()
	if m == nil {
		return 0
	}
	return renderingBytes + cap(m.Body) + cap(m.ETag)
}

// turn makes present the slot's quantum in place of old, unless another request was quicker or present is the quantum
// before, of a request that read the clock earlier. It returns the quantum to sign by, and whether it dropped a rendering.
func (s *Slot) turn(old, present *Quantum, length int64) (q *Quantum, dropped bool) {
	switch {
	case old == nil:
	case old.Begin == present.Begin && old.expires == present.expires && old.Grant.Signer == present.Grant.Signer:
		return old, false // no other session
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

// count counts a request for what is kept, as far as that matters.
func (s *Slot) count() {
	if s.asks.Load() < keepFrom {
		s.asks.Add(1)
	}
}

// worthKeeping counts a request for what is not kept, and says whether to keep it from now on.
func (s *Slot) worthKeeping() bool { return s.asks.Add(1) >= keepFrom || s.frequent.Load() }
