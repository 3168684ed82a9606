package edge

import (
	"container/heap"
	"context"
	"time"
)

// How parked connections end: idle time-out, eviction and drain; and the new connections for which they are evicted.

// evict closes the connection that was parked the longest, and reports whether there was one.
func (l *Listener) evict() bool {
	k := l.parking.Load()
	if k == nil {
		return false
	}
	l.mu.Lock()
	c := l.evictable(k)
	if c == nil {
		l.mu.Unlock()
		return false
	}
	l.unpark(k, c)
	l.mu.Unlock()
	l.Metrics.evicted.Inc()
	l.expel(k, c)
	return true
}

// evictable returns the connection that was parked the longest; nil if there is none, or if it was silent for less than a
// tenth of ParkAfter: at the limit, clients that have just connected must not evict each other. l.mu must be held.
func (l *Listener) evictable(k *parking) *Conn {
	longest := k.order.Front()
	if longest == nil {
		return nil
	}
	c := longest.Value.(*Conn)
	if l.wheel.now.Load()-c.idleSince.Load() < nearTicks {
		return nil
	}
	return c
}

// canEvict reports whether there is a connection to evict.
func (l *Listener) canEvict() bool {
	k := l.parking.Load()
	if k == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.evictable(k) != nil
}

// expel closes a connection that was just unparked. Without byClose, it wakes the server, which reads io.EOF.
func (l *Listener) expel(k *parking, c *Conn) {
	if k.byClose {
		c.closeAtOnce()
		return
	}
	c.expelled = true
	k.wake(c.serverConn())
}

// endIdle closes connections past their idle time-out.
func (l *Listener) endIdle(k *parking, now time.Time) {
	for {
		l.mu.Lock()
		if k.stopped.Load() || len(k.endings) == 0 || k.endings[0].read.wanted.After(now) {
			l.mu.Unlock()
			return
		}
		c := k.endings[0]
		l.unpark(k, c)
		l.mu.Unlock()
		l.expel(k, c)
	}
}

// StopParking ends parking and, with byClose, closes the parked connections. If ctx does not end first, wake is not called
// after it returns. A second call does nothing.
func (l *Listener) StopParking(ctx context.Context) {
	k := l.parking.Load()
	if k == nil || k.stopped.Swap(true) {
		return
	}
	l.wheel.wait.Store(0)
	l.mu.Lock()
	k.poller.Close()
	l.mu.Unlock()
	select {
	case <-k.closed:
	case <-ctx.Done():
	}
	close(k.done)
	for k.byClose {
		l.mu.Lock()
		first := k.order.Front()
		if first == nil {
			l.mu.Unlock()
			return
		}
		c := first.Value.(*Conn)
		l.unpark(k, c)
		l.mu.Unlock()
		c.closeAtOnce()
	}
}

// endings is a heap of the parked connections, by the end of their idle time.
type endings []*Conn

var _ heap.Interface = (*endings)(nil)

func (e endings) Len() int           { return len(e) }
func (e endings) Less(i, j int) bool { return e[i].read.wanted.Before(e[j].read.wanted) }

func (e endings) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].ending, e[j].ending = int32(i), int32(j) //nolint:gosec // at most one per descriptor
}

// Push and Pop are heap's.
func (e *endings) Push(c any) {
	c.(*Conn).ending = int32(len(*e)) //nolint:gosec // see Swap
	*e = append(*e, c.(*Conn))
}

func (e *endings) Pop() any {
	old := *e
	last := len(old) - 1
	c := old[last]
	old[last] = nil
	*e = old[:last]
	return c
}

// At its limit a listener admits a new connection provisionally, in a small reserve beyond the limit. The connection that was
// parked the longest is closed only once the server accepts the new client, so that unknown clients evict nobody.

// maxProvisional is the largest reserve, in connections. The reserve is a sixteenth of the limit if that is less.
const maxProvisional = 256

// provisionalTime is how long a provisional connection may take to be accepted.
const provisionalTime = 5 * time.Second

func (l *Listener) reserve() int64 { return int64(min(max(l.MaxConnections/16, 1), maxProvisional)) }

// room reports whether to admit a new connection, and whether provisionally. open is l.open, which already counts it.
func (l *Listener) room(open int64) (ok, provisional bool) {
	waiting := l.provisional.Load()
	if l.MaxConnections == 0 || open-waiting <= int64(l.MaxConnections) {
		return true, false
	}
	ok = waiting < l.reserve() && l.canEvict()
	return ok, ok
}

// startProvisional makes c provisional. If c is not accepted within provisionalTime, or the read time-out if that is shorter,
// it is closed.
func (l *Listener) startProvisional(c *Conn) {
	l.provisional.Add(1)
	c.provisional.Store(true)
	after := provisionalTime
	if l.ReadTimeout > 0 {
		after = min(after, l.ReadTimeout)
	}
	time.AfterFunc(after, func() {
		if c.endProvisional() {
			l.Metrics.shedConnections.Inc()
			_ = c.sock.Close() // its server then reads an error
		}
	})
}

// endProvisional clears c.provisional, and reports whether it was set.
func (c *Conn) endProvisional() bool {
	if !c.provisional.Swap(false) {
		return false
	}
	c.listener.provisional.Add(-1)
	return true
}

// Accept is called by the server once it has identified the client and serves it. At the limit, it evicts a parked connection.
// If there is none it returns false, and the caller must close this connection. It may be called for each request.
func (c *Conn) Accept() bool {
	if !c.provisional.Load() || !c.endProvisional() {
		return true
	}
	l := c.listener
	if l.open.Load()-l.provisional.Load() <= int64(l.MaxConnections) || l.evict() {
		return true
	}
	l.Metrics.shedConnections.Inc()
	return false
}
