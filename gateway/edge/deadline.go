package edge

import "time"

// Deadline extends one direction's deadline with its use. Setting it costs more than
// reading the clock, so it moves in steps of an eighth: a peer has at least the timeout,
// and at most an eighth more.
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

// lateDeadline is the read deadline set by a server, which sets it twice per request: for the idle time, and for the
// request's arrival. It is applied at the next read, usually one per request, and only if it differs from the current one by
// more than slack.
type lateDeadline struct {
	wanted, set time.Time
	lost        bool // the socket's is another than set
}

// next returns the deadline to set, if one is due: at least what is wanted, and at most slack later. It does not read the
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

// pace limits the read deadlines that a server extends for each part of a request's body to what the least rate allows: the
// first deadline, plus a second for each leastRate bytes.
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
