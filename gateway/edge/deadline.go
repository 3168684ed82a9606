package edge

import "time"

// Deadline moves one direction's deadline along with its use. Moving it costs more than
// reading the clock, so it moves in steps of an eighth: a peer has the timeout at least,
// and an eighth more at most.
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

// lateDeadline is the deadline of reads as somebody else sets it, who does so for every request, and twice: how long a
// connection may be idle, and how long a request may take to arrive. It reaches the connection with the next read, of
// which a request needs one, as a rule, and only when it differs from what is there by more than slack.
type lateDeadline struct{ wanted, set time.Time }

// next returns the deadline to set, if one is due: by at least, and slack more at most. It does not read the clock. Not
// safe for concurrent use.
func (d *lateDeadline) next(by time.Time, slack time.Duration) (at time.Time, due bool) {
	late := d.set.Sub(by)
	if by.IsZero() && d.set.IsZero() || !by.IsZero() && late >= 0 && late <= slack {
		return at, false
	}
	if d.set = by; !by.IsZero() {
		d.set = by.Add(slack)
	}
	return d.set, true
}

// leastRate is the least rate at which a request must arrive, in bytes a second: Apache's default (mod_reqtimeout,
// MinRate=500).
const leastRate = 500

// pace keeps the read deadlines that a server moves on while a request arrives, for each part of a body, to the time that
// the least rate allows: the first deadline, and a second more for each leastRate bytes.
type pace struct {
	first time.Time // the first deadline of this request
	read  int64     // bytes since the request began
}

// limit returns t, or the last moment that the pace allows if that is earlier.
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
