package mqtt

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/packet"
)

// Server serves MQTT to devices. It is safe for concurrent use.
type Server struct {
	config      Config
	packetLimit int // of packets from clients, in bytes
	dispatcher  *dispatch.Dispatcher
	sessions    registry
	queue       queue
	rate        rate
	stats

	mu        sync.Mutex
	conns     map[*conn]struct{}
	opening   map[*conn]struct{} // those of conns that have not sent CONNECT
	listeners map[net.Listener]struct{}
	closing   bool
	stop      context.CancelFunc // of the background goroutines
	running   sync.WaitGroup     // background goroutines, and connections being served
}

// New returns a Server, which follows the service's changes from now on. Close it.
func New(c Config) (*Server, error) {
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	d, err := dispatch.New(dispatch.Config{Service: c.Service, Documents: c.Documents, Log: c.Log, Tracer: c.Tracer})
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: c, packetLimit: c.MaxPayload + packetOverhead, dispatcher: d,
		conns: map[*conn]struct{}{}, opening: map[*conn]struct{}{}, listeners: map[net.Listener]struct{}{},
	}
	s.queue.work = s.deliver
	s.rate.perSecond = int64(c.ConnectRate)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	events := c.Service.Events().Subscribe(followBuffer, wanted)
	s.running.Add(2)
	go func() {
		defer s.running.Done()
		s.follow(ctx, events)
	}()
	go func() {
		defer s.running.Done()
		s.sweep(ctx)
	}()
	return s, nil
}

var errClosed = errors.New("mqtt: the server is closed")

// Serve accepts connections until the listener or the Server is closed, and returns nil then. It also does TLS handshakes.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ln.Close()
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	if l, ok := ln.(*edge.Listener); ok {
		l.Park(s.wake, false)
	}
	for {
		conn, err := ln.Accept()
		var passing net.Error
		switch {
		case err == nil:
			s.ServeConn(conn)
		case errors.As(err, &passing) && !errors.Is(err, net.ErrClosed): // no more files, for example
			time.Sleep(acceptPause)
		default:
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.listeners, ln)
			if s.closing || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
	}
}

// acceptPause is the pause after a failed accept.
const acceptPause = 20 * time.Millisecond

// maxOpening bounds the connections that have not sent CONNECT. A further one closes one of them, not itself, so that silent
// clients do not block others.
const maxOpening = 4096

// ServeConn serves one connection, and returns at once.
func (s *Server) ServeConn(nc net.Conn) {
	c := &conn{server: s, net: nc, edge: edge.Of(nc)}
	if c.edge != nil {
		c.edge.Owner = c
	}
	s.mu.Lock()
	full := s.config.MaxConnections > 0 && len(s.conns) >= s.config.MaxConnections
	if full || s.closing {
		s.mu.Unlock()
		if full {
			s.refuse(packet.ServerBusy)
		}
		_ = nc.Close()
		return
	}
	var odd *conn
	if len(s.opening) >= maxOpening {
		for odd = range s.opening {
			break
		}
		delete(s.opening, odd)
	}
	s.conns[c], s.opening[c] = struct{}{}, struct{}{}
	s.running.Add(1)
	s.mu.Unlock()
	if odd != nil {
		odd.end(&packet.Error{Reason: packet.ServerBusy, Text: "too many connections have not sent CONNECT"})
	}
	go func() {
		defer s.running.Done()
		c.serve()
	}()
}

// opened removes a connection from opening, after its CONNECT.
func (s *Server) opened(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.opening, c)
}

// ended removes a connection, and detaches its session.
func (s *Server) ended(c *conn, reason error) {
	s.mu.Lock()
	delete(s.conns, c)
	delete(s.opening, c)
	s.mu.Unlock()
	held := c.held.Load()
	if held != nil {
		s.sessions.detach(c, time.Now())
	}
	var bad *packet.Error
	if errors.As(reason, &bad) {
		s.refuse(bad.Reason)
	} else if errors.Is(reason, errUnread) {
		s.refuse(unread)
	}
	if s.config.Log.Enabled(context.Background(), slog.LevelDebug) {
		thing := ""
		if held != nil {
			thing = held.thing
		}
		s.config.Log.Debug("mqtt: connection ended", "thing", thing, "remote", c.net.RemoteAddr().String(), "reason", reason.Error())
	}
}

// recover turns a panic into the end of one connection.
func (s *Server) recover(c *conn) {
	if cause := recover(); cause != nil {
		s.config.Log.Error("mqtt: panic", "panic", cause, "stack", string(debug.Stack()))
		s.panics.Add(1)
		c.end(errPanic)
	}
}

var errPanic = errors.New("mqtt: panic")

// enqueue queues a connection for notices, unless it is queued already.
func (s *Server) enqueue(c *conn) {
	if !c.queued.Swap(true) {
		s.queue.push(c)
	}
}

// wake serves a connection that was parked. One that Close is ending needs no goroutine.
func (s *Server) wake(nc net.Conn) {
	if c, ok := edge.Of(nc).Owner.(*conn); ok {
		s.background(c.resume)
	}
}

// background runs f in a goroutine, unless the Server is closed.
func (s *Server) background(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		f()
	}()
}

// each calls f for every connection, without holding a lock.
func (s *Server) each(f func(*conn)) {
	s.mu.Lock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		f(c)
	}
}

// Recheck closes the connections whose certificates are no longer valid, as valid says, after a change of the authorities
// or revocation lists.
func (s *Server) Recheck(valid func(leaf *x509.Certificate, intermediates []*x509.Certificate) bool) {
	s.each(func(c *conn) {
		tls, ok := c.net.(secured)
		if !ok || !c.begun.Load() {
			return
		}
		chain := tls.ConnectionState().PeerCertificates
		if len(chain) > 0 && !valid(chain[0], chain[1:]) {
			s.background(func() { c.kick(packet.NotAuthorized) })
		}
	})
}

// Shutdown closes the listeners and disconnects the clients, each after its pending requests were answered. If ctx ends
// before that, it closes the rest at once and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.refuseMore()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.endAll(func(c *conn) { c.dismiss(packet.ServerShuttingDown) })
	}()
	select {
	case <-done:
		s.Close()
		return nil
	case <-ctx.Done():
		s.Close()
		return ctx.Err()
	}
}

// Close stops the Server at once, and waits for its goroutines.
func (s *Server) Close() {
	s.refuseMore()
	s.stop()
	s.endAll(func(c *conn) { c.end(errClosed) })
	s.running.Wait()
	s.queue.end()
}

// refuseMore stops accepting connections.
func (s *Server) refuseMore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for ln := range s.listeners {
		_ = ln.Close()
	}
}

func (s *Server) endAll(end func(*conn)) {
	var ending sync.WaitGroup
	s.each(func(c *conn) { ending.Go(func() { end(c) }) })
	ending.Wait()
}
