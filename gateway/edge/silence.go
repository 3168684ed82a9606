package edge

import (
	"sync/atomic"
	"time"
)

// How long a connection must be silent before it is parked depends on its last requests. A client whose requests come within
// ParkAfter of each other is polling or working, and its connection keeps its goroutine for ParkAfter. After a first request,
// or one that follows a longer silence, the client will probably be silent again, and its connection is parked soon. Requests
// within a tick of each other count as one.
//
// No timer measures the silence: the socket's deadline is the idle time-out's, and a Listener checks its connections in turn
// and interrupts the read of those that have been silent for long enough.

// Times in ticks. Lengths of silence are measured to a tick.
const (
	parkTicks  = 40             // ParkAfter
	nearTicks  = parkTicks / 10 // instead of ParkAfter, near the limits
	soonTicks  = 2              // after the first request, and after one that follows a long silence
	freshTicks = 8              // until a connection that has sent nothing is checked again
)

// wheel holds the connections that are not parked, each in the slot of the tick at which it is checked next. A connection is
// checked about once per ParkAfter, however many requests it sends. The Listener's mu guards the slots.
type wheel struct {
	now   atomic.Uint32 // the current tick
	wait  atomic.Uint32 // ticks of silence after which a connection is parked; 0: never
	slots [64][]*Conn
}

// add puts c into the slot that is ticks ahead of now. ticks must be less than the number of slots.
func (w *wheel) add(c *Conn, ticks uint32) {
	c.slot = uint8((w.now.Load() + ticks) % uint32(len(w.slots)))
	slot := &w.slots[c.slot]
	c.index = int32(len(*slot)) //nolint:gosec // at most one per descriptor
	*slot = append(*slot, c)
}

func (w *wheel) remove(c *Conn) {
	slot := w.slots[c.slot]
	last := len(slot) - 1
	slot[c.index] = slot[last]
	slot[c.index].index = c.index
	slot[last] = nil
	if slot = slot[:last]; last == 0 && cap(slot) > 1024 {
		slot = nil // free the memory of a burst
	}
	w.slots[c.slot] = slot
}

// check reports whether c has been silent for long enough to be parked, and in how many ticks to check c again. c may serve a
// request meanwhile.
func (w *wheel) check(c *Conn) (silent bool, again uint32) {
	now, wait := w.now.Load(), w.wait.Load()
	if !c.steady.Load() {
		wait = min(wait, soonTicks)
	}
	switch State(c.state.Load()) {
	case Fresh, closed:
		return false, freshTicks
	case Active:
		return false, max(wait, 1)
	case Idle:
	}
	if been := now - c.idleSince.Load(); been < wait {
		return false, wait - been
	}
	return wait > 0, parkTicks
}

// recordRequest records, at the beginning of a request, whether c is polling. c's goroutine calls it before c is Active.
func (w *wheel) recordRequest(c *Conn) {
	if State(c.state.Load()) != Idle {
		return // the first request
	}
	if gap := w.now.Load() - c.idleSince.Load(); gap > 0 {
		c.steady.Store(gap < parkTicks)
	}
}

// checkBatch is how many connections are checked at a time while the Listener's mu is held.
const checkBatch = 256

// checkSlot interrupts the reads of a slot's silent connections, so that their goroutines park them.
func (l *Listener) checkSlot(slot int) {
	var silent [checkBatch]*Conn
	w := &l.wheel
	for i, more := 0, true; more; {
		n := 0
		l.mu.Lock()
		for range checkBatch {
			if more = i < len(w.slots[slot]); !more {
				break
			}
			c := w.slots[slot][i]
			quiet, again := w.check(c)
			if quiet {
				silent[n] = c
				n++
			}
			w.remove(c)
			w.add(c, again)
			if int(c.slot) == slot { // in this slot again: it was checked ahead of its tick
				i++
			}
		}
		l.mu.Unlock()
		for _, c := range silent[:n] {
			_ = c.sock.SetReadDeadline(past) // fails if c was closed meanwhile
		}
		clear(silent[:n])
	}
}

var past = time.Unix(1, 0)

// advance advances the wheel to a tick.
func (l *Listener) advance(to uint32) {
	for now := l.wheel.now.Load(); now != to; {
		now++
		l.wheel.now.Store(now)
		l.checkSlot(int(now % uint32(len(l.wheel.slots))))
	}
}

// parkAfterTicks changes the silence after which connections are parked.
func (l *Listener) parkAfterTicks(ticks uint32) {
	before := l.wheel.wait.Load()
	if before == 0 || !l.wheel.wait.CompareAndSwap(before, ticks) || ticks >= before {
		return // parking has ended, or connections are not to be parked sooner
	}
	for slot := range l.wheel.slots {
		l.checkSlot(slot)
	}
}

// interrupted reports whether a read timed out before its deadline. If so, the deadline is set again for the next read: a request
// may have arrived just before the interruption.
func (c *Conn) interrupted() bool {
	if d := c.read.set; !d.IsZero() && !time.Now().Before(d) {
		return false
	}
	c.read.lost = true
	return true
}

// parks reports whether the connection should be parked instead of reading on.
func (c *Conn) parks() bool {
	if c.awake || c.provisional.Load() {
		return false
	}
	if silent, _ := c.listener.wheel.check(c); !silent {
		return false
	}
	if c.records != nil && c.records.Inside() {
		c.awake = true // a connection with half a record keeps its goroutine and its deadline
		return false
	}
	return true
}
