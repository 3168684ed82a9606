package edge

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/edge/proxyprotocol"
	"jobgate/gateway/edge/tlsserver"
)

// TLS names the files of a listener's certificate.
type TLS = tlsserver.Files

// Options describe a listener.
type Options struct {
	Name    string // of the setting that holds the address, and the metrics' label: "listen", "admin"
	Address string // "host:port" or "unix:///path"
	TLS     *TLS   // nil: plain

	MaxConnections int           // at once; 0: no limit
	ReadTimeout    time.Duration // for the first byte of a new connection, TLS handshake included; 0: none
	IdleTimeout    time.Duration // set by the server between requests; decides the precision of read deadlines
	WriteTimeout   time.Duration // for each piece of an answer; 0: none
	ParkAfter      time.Duration // silence after which a connection that asks regularly is parked; 0: ten seconds

	// Trusted says whose PROXY protocol header (version 2) is trusted; nil: nobody's. For such a peer the header is
	// optional. It must be safe for concurrent use.
	Trusted func(netip.Addr) bool
	// Refuse answers a connection over the limit, which is then closed. If nil, and with TLS, it is closed without an
	// answer. It runs in its own goroutine, with deadlines set.
	Refuse func(net.Conn)

	Metrics *Metrics // nil: none
	Log     *slog.Logger
}

// Listener accepts connections within its limit. Each is a *Conn, or with TLS a *TLSConn.
type Listener struct {
	Options
	ln        net.Listener
	certs     *tlsserver.Certificates // nil: plain
	readSlack time.Duration           // how late a read deadline may be

	open     atomic.Int64 // admitted connections
	fresh    atomic.Int64 // open ones that have not sent a byte of a request
	active   atomic.Int64 // open ones with a request in progress
	warnings LogLimit

	provisional atomic.Int64 // open ones that are not accepted yet, see Conn.Accept

	parking atomic.Pointer[parking]

	mu    sync.Mutex
	wheel wheel // the open connections that are not parked
}

// Listen binds a listener, so that an address in use is an error here.
func Listen(o Options) (*Listener, error) {
	ln, err := bind(o.Address)
	if err != nil {
		return nil, fmt.Errorf("cannot bind %s %q: %w", o.Name, o.Address, err)
	}
	l, err := NewListener(ln, o)
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	return l, nil
}

// NewListener makes ln a Listener. Options.Address is not used.
func NewListener(ln net.Listener, o Options) (*Listener, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	l := &Listener{Options: o, ln: ln, readSlack: o.ReadTimeout / 8}
	if o.IdleTimeout > 0 {
		l.readSlack = min(o.ReadTimeout, o.IdleTimeout) / 8
	}
	if o.TLS != nil {
		var err error
		if l.certs, err = tlsserver.New(*o.TLS, o.Log); err != nil {
			return nil, err
		}
	}
	o.Metrics.watch(l)
	return l, nil
}

// Addr returns the address that is bound.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close ends the listening; connections stay. It may be called more than once.
func (l *Listener) Close() error { return l.ln.Close() }

// Accept returns the next connection within the limit. At the limit, it admits one provisionally
// if a parked one could be closed for it, see Conn.Accept. It is for one goroutine.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		sock, err := accept(l.ln, l.Log, &l.warnings)
		if err != nil {
			return nil, err
		}
		if ok, provisional := l.room(l.open.Add(1)); ok {
			return l.admit(sock, provisional), nil
		}
		l.open.Add(-1)
		l.Metrics.shedConnections.Inc()
		l.refuse(sock)
	}
}

// admit makes sock a connection of l.
func (l *Listener) admit(sock net.Conn, provisional bool) net.Conn {
	c := &Conn{Conn: sock, sock: sock, listener: l}
	if provisional {
		l.tentative(c)
	}
	l.fresh.Add(1)
	if l.ReadTimeout > 0 {
		c.read.wanted = time.Now().Add(l.ReadTimeout)
	}
	if l.Trusted != nil && l.Trusted(PeerAddr(sock.RemoteAddr())) {
		c.proxied = &proxyprotocol.Conn{Conn: sock}
		c.Conn = c.proxied
	}
	l.mu.Lock()
	l.wheel.add(c, soonTicks+1)
	l.mu.Unlock()
	if l.certs == nil {
		return c
	}
	return c.secure(l.certs.Config())
}

// left removes c from the wheel.
func (l *Listener) left(c *Conn) {
	l.open.Add(-1)
	l.mu.Lock()
	l.wheel.remove(c)
	l.mu.Unlock()
}

// cut closes the sockets of all connections, so that reads and writes fail at once. The server then closes the
// connections.
func (l *Listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, slot := range l.wheel.slots {
		for _, c := range slot {
			_ = c.sock.Close()
		}
	}
	if k := l.parking.Load(); k != nil {
		for e := k.order.Front(); e != nil; e = e.Next() {
			_ = e.Value.(*Conn).sock.Close()
		}
	}
}

// maxRefusing bounds the connections over a limit that are answered at once, on all listeners; more are closed without an
// answer. Their files come from the reserve that no listener shares.
const maxRefusing = 32

// refuse rejects a connection without delaying others.
func (l *Listener) refuse(sock net.Conn) {
	refusing := &l.Metrics.refusing
	if n := refusing.Add(1); l.Refuse == nil || l.certs != nil || n > maxRefusing {
		refusing.Add(-1)
		_ = sock.Close()
		return
	}
	go func() {
		defer refusing.Add(-1)
		_ = sock.SetDeadline(time.Now().Add(time.Second))
		l.Refuse(sock)
		// Closed with bytes unread, the connection would be reset, and the answer lost.
		closeLingering(sock)
	}()
}

// PeerAddr returns the address of a TCP peer, the zero Addr for a Unix socket's.
func PeerAddr(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
