package edge

import "time"

// Deadline extends the deadline of one direction, reading or writing, as it is used. Setting a deadline costs more than
// reading the clock, so the deadline moves in steps of an eighth: a peer has at least the timeout, and at most an eighth more.
type Deadline struct{ moved time.Time }

// Next returns the deadline to set, if one is due. Not safe for concurrent use.
func (d *Deadline) Next(timeout time.Duration) (at time.Time, due bool) {
	now := time.Now()
	if now.Sub(d.moved) < timeout/8 {
		return at, false
	}
	d.moved = now
	return now.Add(timeout + timeout/8), true
}

// lateDeadline is the read deadline set by a server. A server sets it twice per request: for the idle time, and for the
// request's arrival. The socket's deadline is changed only at the next read, usually once per request, and only if it is
// earlier than the wanted one or later by more than slack.
type lateDeadline struct {
	wanted, set time.Time
	lost        bool // the socket's deadline is no longer set
}

// next returns the deadline to set, if one is due: not before the wanted one, and at most slack later. It does not read the
// clock. Not safe for concurrent use.
func (d *lateDeadline) next(slack time.Duration) (at time.Time, due bool) {
	by := d.wanted
	late := d.set.Sub(by)
	if !d.lost && (by.IsZero() && d.set.IsZero() || !by.IsZero() && late >= 0 && late <= slack) {
		return at, false
	}
	d.lost = false
	if d.set = by; !by.IsZero() {
		d.set = by.Add(slack)
	}
	return d.set, true
}

// leastRate is the least rate at which a request must arrive, in bytes a second: Apache's default (mod_reqtimeout,
// MinRate=500).
const leastRate = 500

// pace enforces the least rate while a server extends the read deadline for each part of a request's body. The latest
// deadline is the first one plus a second for each leastRate bytes.
type pace struct {
	first time.Time // the first deadline of this request
	read  int64     // bytes since the request began
}

// limit returns t, or the pace's limit if that is earlier.
func (p *pace) limit(t time.Time) time.Time {
	if t.IsZero() || p.first.IsZero() {
		p.first = t
		return t
	}
	if last := p.first.Add(time.Duration(p.read) * time.Second / leastRate); t.After(last) {
		return last
	}
	return t
}
