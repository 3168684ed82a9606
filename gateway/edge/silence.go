package edge

import (
	"sync/atomic"
	"time"
)

// A connection is parked after a silence that depends on how it asked last. One that asks again within ParkAfter is polling
// or working, and keeps its goroutine for ParkAfter. One that has asked for the first time, or after a longer silence, will
// probably be silent again, and is parked soon. Requests within a tick of each other count as one.
//
// No timer watches the silence: the socket's deadline is the idle time-out's, and a Listener looks at its connections in
// turn and interrupts the read of those that have been silent for long enough.

// Times in ticks. Lengths of silence are measured to a tick.
const (
	parkTicks = 40             // ParkAfter
	nearTicks = parkTicks / 10 // instead of it, near the limits
	soonTicks = 2              // after the first request, and after one that follows a long silence
	freshLook = 8              // until a connection that has sent nothing is looked at again
)

// wheel holds the connections that are not parked, each in the slot of the tick at which it is looked at next. That is about
// once for each ParkAfter, however often it asks. The Listener's mu guards the slots.
type wheel struct {
	now   atomic.Uint32 // the current tick
	wait  atomic.Uint32 // ticks of silence after which a connection is parked; 0: none is
	slots [64][]*Conn
}

// add puts c into the slot of a tick that many ticks from now, less than the number of slots.
func (w *wheel) add(c *Conn, ticks uint32) {
	c.slot = uint8((w.now.Load() + ticks) % uint32(len(w.slots)))
	slot := &w.slots[c.slot]
	c.index = int32(len(*slot)) //nolint:gosec // one for each descriptor at most
	*slot = append(*slot, c)
}

func (w *wheel) remove(c *Conn) {
	slot := w.slots[c.slot]
	last := len(slot) - 1
	slot[c.index] = slot[last]
	slot[c.index].index = c.index
	slot[last] = nil
	if slot = slot[:last]; last == 0 && cap(slot) > 1024 {
		slot = nil // of a burst
	}
	w.slots[c.slot] = slot
}

// look says whether c has been silent for long enough to be parked, and otherwise in how many ticks to look again. c may
// serve a request meanwhile.
func (w *wheel) look(c *Conn) (silent bool, again uint32) {
	now, wait := w.now.Load(), w.wait.Load()
	if !c.steady.Load() {
		wait = min(wait, soonTicks)
	}
	switch State(c.state.Load()) {
	case Fresh:
		return false, freshLook
	case Active:
		return false, max(wait, 1)
	case Idle:
	}
	if been := now - c.idleSince.Load(); been < wait {
		return false, wait - been
	}
	return wait > 0, parkTicks
}

// note records, at the beginning of a request, whether c is polling. c's goroutine calls it, before c is Active.
func (w *wheel) note(c *Conn) {
	if State(c.state.Load()) != Idle {
		return // the first request
	}
	if gap := w.now.Load() - c.idleSince.Load(); gap > 0 {
		c.steady.Store(gap < parkTicks)
	}
}

// lookBatch is how many connections are looked at while the Listener's mu is held.
const lookBatch = 256

// lookAt interrupts the silent ones among the connections of a slot, so that their goroutines park them.
func (l *Listener) lookAt(slot int) {
	var silent [lookBatch]*Conn
	w := &l.wheel
	for i, more := 0, true; more; {
		n := 0
		l.mu.Lock()
		for range lookBatch {
			if more = i < len(w.slots[slot]); !more {
				break
			}
			c := w.slots[slot][i]
			quiet, again := w.look(c)
			if quiet {
				silent[n] = c
				n++
			}
			w.remove(c)
			w.add(c, again)
			if int(c.slot) == slot { // it was its turn too early
				i++
			}
		}
		l.mu.Unlock()
		for _, c := range silent[:n] {
			_ = c.sock.SetReadDeadline(past) // if it has closed meanwhile, nothing is left to do
		}
		clear(silent[:n])
	}
}

var past = time.Unix(1, 0)

// turn advances the wheel to a tick.
func (l *Listener) turn(to uint32) {
	for now := l.wheel.now.Load(); now != to; {
		now++
		l.wheel.now.Store(now)
		l.lookAt(int(now % uint32(len(l.wheel.slots))))
	}
}

// parkAfterTicks changes the silence after which connections are parked.
func (l *Listener) parkAfterTicks(ticks uint32) {
	before := l.wheel.wait.Load()
	if before == 0 || !l.wheel.wait.CompareAndSwap(before, ticks) || ticks >= before {
		return // none is parked any more, or there is no hurry
	}
	for slot := range l.wheel.slots {
		l.lookAt(slot)
	}
}

// interrupted says whether a read that has timed out did so before its deadline, and forgets that deadline. The silence may
// have ended with a request that came just then.
func (c *Conn) interrupted() bool {
	if d := c.read.set; !d.IsZero() && !time.Now().Before(d) {
		return false
	}
	c.read.lost = true
	return true
}

// parks says whether the connection should be parked instead of reading on.
func (c *Conn) parks() bool {
	if c.awake || c.provisional.Load() {
		return false
	}
	if silent, _ := c.listener.wheel.look(c); !silent {
		return false
	}
	if c.records != nil && c.records.Inside() {
		c.awake = true // half a record keeps its goroutine, and its deadline
		return false
	}
	return true
}
