package gateway

import "time"

// deadline moves one direction's deadline along with its use. Moving it costs more than
// reading the clock, so it moves in steps of an eighth: a peer has the timeout at least,
// and an eighth more at most.
type deadline struct{ moved time.Time }

// next returns the deadline to set, if one is due. Not safe for concurrent use.
func (d *deadline) next(timeout time.Duration) (at time.Time, due bool) {
	now := time.Now()
	if now.Sub(d.moved) < timeout/8 {
		return at, false
	}
	d.moved = now
	return now.Add(timeout + timeout/8), true
}

// lateDeadline is the deadline of reads as somebody else sets it, who does so for every request, and twice: how long a
// connection may be idle, and how long a request may take to arrive. It reaches the connection with the next read, of
// which a request needs one, as a rule, and only when it differs from what is there by more than slack.
type lateDeadline struct{ wanted, set time.Time }

// next returns the deadline to set, if one is due: the one that is wanted at least, and slack more at most. It does not
// read the clock. Not safe for concurrent use.
func (d *lateDeadline) next(slack time.Duration) (at time.Time, due bool) {
	late := d.set.Sub(d.wanted)
	if d.wanted.IsZero() && d.set.IsZero() || !d.wanted.IsZero() && late >= 0 && late <= slack {
		return at, false
	}
	if d.set = d.wanted; !d.wanted.IsZero() {
		d.set = d.wanted.Add(slack)
	}
	return d.set, true
}
