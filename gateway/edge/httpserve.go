package edge

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// setState sets the connection's state from fasthttp's.
func (h *HTTP) setState(conn net.Conn, state fasthttp.ConnState) {
	c := Of(conn)
	if c == nil {
		return
	}
	switch state {
	case fasthttp.StateActive:
		awake := c.awake
		c.SetState(Active)
		if awake && h.o.ReadTimeout > 0 { // to fasthttp this is the first request, timed from the wake-up
			_ = c.SetReadDeadline(time.Now().Add(h.o.ReadTimeout))
		}
	case fasthttp.StateIdle:
		c.SetState(Idle)
	case fasthttp.StateNew, fasthttp.StateHijacked, fasthttp.StateClosed:
	}
}

// Serve serves l's connections until Shutdown. Silent connections of a *Listener are parked.
func (h *HTTP) Serve(l net.Listener) error {
	if own, ok := l.(*Listener); ok {
		h.mu.Lock()
		h.listeners = append(h.listeners, own)
		h.mu.Unlock()
		own.Park(h.wake, true)
	}
	return h.server.Serve(l)
}

// ServeConn serves one connection until it ends, and closes it.
func (h *HTTP) ServeConn(conn net.Conn) error { return h.server.ServeConn(conn) }

// Shutdown closes idle connections, and waits for requests in progress until ctx ends.
func (h *HTTP) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	for _, l := range h.listeners {
		l.StopParking(ctx)
	}
	h.mu.Unlock()
	for {
		err := h.server.ShutdownWithContext(ctx)
		if h.woken.serving.Load() == 0 || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Millisecond) // fasthttp does not count a connection that has just been woken
	}
}

// workerIdle is how long an idle goroutine waits for another connection, to reuse its stack.
const workerIdle = time.Second

// wakers are the goroutines that serve woken connections, as fasthttp's own workers serve new ones.
type wakers struct {
	conns   chan net.Conn
	serving atomic.Int64
}

// wake serves a connection that was parked. It returns at once.
func (h *HTTP) wake(conn net.Conn) {
	h.woken.serving.Add(1)
	select {
	case h.woken.conns <- conn:
	default:
		go h.serveWoken(conn)
	}
}

func (h *HTTP) serveWoken(conn net.Conn) {
	idle := time.NewTimer(workerIdle)
	defer idle.Stop()
	for {
		_ = h.server.ServeConn(conn) // its errors are the connection's, not the server's
		h.woken.serving.Add(-1)
		conn = nil
		idle.Reset(workerIdle)
		select {
		case conn = <-h.woken.conns:
		case <-idle.C:
			return
		}
	}
}
