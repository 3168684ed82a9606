package edge

import (
	"container/heap"
	"container/list"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"jobgate/gateway/edge/poller"
	"jobgate/gateway/reclaim"
)

// parkAfter is the default of Options.ParkAfter.
const parkAfter = 10 * time.Second

// parking holds a Listener's parked connections. A parked connection has no goroutine, no buffer and no request context. The
// listener's poller wakes it:
//
//	serving ─► silent, see wheel ─► Read: io.EOF ─► Close, or Park ─► parked
//	   ▲                                                                │ bytes, or the client closes
//	   └────────────── wake: a goroutine of the server's ◄──────────────┤
//	                                                                    └ idle time-out, eviction, drain: closed
//
// The Listener's mu guards the fields that are not atomic.
type parking struct {
	wake    func(net.Conn) // serves a connection again; it returns at once
	byClose bool           // the server calls Close, and does not know that the connection is parked
	poller  *poller.Poller
	order   list.List // of *Conn, the longest parked first
	byFD    []*Conn
	endings endings
	mark    int32 // the last number given to a parking
	stopped atomic.Bool
	closed  chan struct{} // closed once no connection is woken any more
	done    chan struct{} // closed when parking ends

	freed    atomic.Int64 // connections parked or closed since the last check; see reclaim
	collects reclaim.Trigger
}

// Park starts parking silent connections. wake is called with a connection to be served again, and must return at once. If a
// connection should be parked, its Read returns io.EOF. With byClose, the Close that follows parks it, for servers that do
// not support parking; otherwise the server calls Conn.Park.
func (l *Listener) Park(wake func(net.Conn), byClose bool) {
	after := l.ParkAfter
	if after == 0 {
		after = parkAfter
	}
	p, err := poller.New()
	if err != nil {
		return // every connection keeps its goroutine
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parking.Load() != nil {
		p.Close()
		return
	}
	k := &parking{wake: wake, byClose: byClose, poller: p, closed: make(chan struct{}), done: make(chan struct{})}
	l.parking.Store(k)
	l.wheel.wait.Store(parkTicks)
	go l.watchParked(k)
	go l.maintainParked(k, after)
}

// Park parks the connection if silence was the reason for Read's io.EOF, and reports whether it did. During the call, other
// goroutines may only write to the connection. If it was parked, the caller must not use it until it is woken.
func (c *Conn) Park() bool {
	if !c.quiet || c.provisional.Load() {
		return false
	}
	c.quiet = false
	s, ok := c.sock.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	parked := false
	err = raw.Control(func(fd uintptr) { parked = c.listener.park(c, int32(fd)) }) //nolint:gosec // descriptors are C ints
	return err == nil && parked
}

func (l *Listener) park(c *Conn, fd int32) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.parking.Load()
	if k.stopped.Load() || State(c.state.Load()) == closed {
		return false
	}
	for int(fd) >= len(k.byFD) {
		k.byFD = append(k.byFD, make([]*Conn, max(64, len(k.byFD)))...)
	}
	k.mark++
	if k.poller.Add(fd, k.mark) != nil {
		return false
	}
	l.wheel.remove(c)
	c.place = k.order.PushBack(c)
	c.fd, c.mark, c.parked = fd, k.mark, true
	k.byFD[fd] = c
	if !c.read.wanted.IsZero() {
		heap.Push(&k.endings, c)
	}
	k.freed.Add(1)
	return true
}

// unpark ends c's parking. l.mu must be held, and c's socket open.
func (l *Listener) unpark(k *parking, c *Conn) {
	if !k.stopped.Load() { // else the poller is closed, or will be
		k.poller.Remove(c.fd)
	}
	k.byFD[c.fd] = nil
	k.order.Remove(c.place)
	c.place = nil
	l.wheel.add(c, soonTicks+1)
	if !c.read.wanted.IsZero() {
		heap.Remove(&k.endings, int(c.ending))
	}
	c.parked, c.awake = false, true
}

// unparkToClose unparks a connection before it is closed, if it is parked.
func (l *Listener) unparkToClose(c *Conn) {
	k := l.parking.Load()
	if k == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.parked {
		l.unpark(k, c)
	}
	k.freed.Add(1)
}

// watchParked wakes connections until the poller is closed.
func (l *Listener) watchParked(k *parking) {
	defer close(k.closed)
	var woken, ended []*Conn
	for {
		err := k.poller.Wait(func(fd, mark int32, hungUp bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			c := k.byFD[fd]
			if c == nil || c.mark != mark { // it was closed meanwhile, and its descriptor may be reused
				return
			}
			hungUp = hungUp && k.byClose && !poller.Unread(fd)
			l.unpark(k, c)
			if hungUp {
				ended = append(ended, c)
			} else {
				woken = append(woken, c)
			}
		})
		for _, c := range woken {
			k.wake(c.serverConn())
		}
		for _, c := range ended {
			c.closeAtOnce()
		}
		clear(woken)
		clear(ended)
		woken, ended = woken[:0], ended[:0]
		if err != nil {
			return
		}
	}
}

// parksByClose reports whether Close may park a connection.
func (l *Listener) parksByClose() bool {
	k := l.parking.Load()
	return k != nil && k.byClose && !k.stopped.Load()
}

// parked returns how many connections are parked.
func (l *Listener) parked() int {
	k := l.parking.Load()
	if k == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return k.order.Len()
}
