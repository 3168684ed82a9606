package edge

import "time"

// At its limit a listener admits a new connection for a moment, in a small reserve beyond the limit. Only once the server
// accepts the client is the connection that was parked the longest closed for it, so that strangers evict no one.

// maxProvisional is the largest reserve, in connections; a sixteenth of the limit where that is less.
const maxProvisional = 256

// provisionalTime is how long a new connection has to be accepted.
const provisionalTime = 5 * time.Second

func (l *Listener) reserve() int64 { return int64(min(max(l.MaxConnections/16, 1), maxProvisional)) }

// room says whether to admit one more connection, already counted in l.open, and whether provisionally.
func (l *Listener) room(open int64) (ok, provisional bool) {
	waiting := l.provisional.Load()
	if l.MaxConnections == 0 || open-waiting <= int64(l.MaxConnections) {
		return true, false
	}
	ok = waiting < l.reserve() && l.canEvict()
	return ok, ok
}

// tentative gives c until provisionalTime, or the read time-out if that is shorter.
func (l *Listener) tentative(c *Conn) {
	l.provisional.Add(1)
	c.provisional.Store(true)
	after := provisionalTime
	if l.ReadTimeout > 0 {
		after = min(after, l.ReadTimeout)
	}
	time.AfterFunc(after, func() {
		if c.settle() {
			l.Metrics.shedConnections.Inc()
			_ = c.sock.Close() // its server sees the end
		}
	})
}

// settle clears c.provisional, and says whether it was set.
func (c *Conn) settle() bool {
	if !c.provisional.Swap(false) {
		return false
	}
	c.listener.provisional.Add(-1)
	return true
}

// Accept says that the server knows the client and serves it. At the limit, this evicts a parked connection; false: there is
// none, and this connection must close. It may be called for each request.
func (c *Conn) Accept() bool {
	if !c.provisional.Load() || !c.settle() {
		return true
	}
	l := c.listener
	if l.open.Load()-l.provisional.Load() <= int64(l.MaxConnections) || l.evict() {
		return true
	}
	l.Metrics.shedConnections.Inc()
	return false
}
