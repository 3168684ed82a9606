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
	Name    string // the setting that holds the address, and the metrics' label: "listen", "admin"
	Address string // "host:port" or "unix:///path"
	TLS     *TLS   // nil: plain

	MaxConnections int           // open at once; 0: no limit
	ReadTimeout    time.Duration // for the first byte of a new connection, TLS handshake included; 0: none
	IdleTimeout    time.Duration // set by the server between requests; decides the precision of read deadlines
	WriteTimeout   time.Duration // for each piece of an answer; 0: none
	ParkAfter      time.Duration // silence after which a connection with regular requests is parked; 0: ten seconds

	// Trusted reports whether a peer's PROXY protocol header (version 2) is trusted; nil: never. A trusted peer may omit the
	// header. Trusted must be safe for concurrent use.
	Trusted func(netip.Addr) bool
	// Refuse answers a connection over the limit, which is then closed. If Refuse is nil, and with TLS, the connection is
	// closed without an answer. Refuse runs in its own goroutine, with deadlines set.
	Refuse func(net.Conn)

	Metrics *Metrics // nil: none
	Log     *slog.Logger
}

// Listener accepts connections within its limit. Each is a *Conn, or with TLS a *TLSConn.
type Listener struct {
	Options
	ln        net.Listener
	certs     *tlsserver.Certificates // nil: plain
	readSlack time.Duration           // how late a read deadline may take effect

	open     atomic.Int64 // admitted connections
	fresh    atomic.Int64 // of these, those that have not sent a byte of a request
	active   atomic.Int64 // of these, those with a request in progress
	warnings LogLimit

	provisional atomic.Int64 // open connections that are not accepted yet, see Conn.Accept

	parking atomic.Pointer[parking]

	mu    sync.Mutex
	wheel wheel // the open connections that are not parked
}

// Listen binds a listener. An address that is in use is an error.
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

// NewListener returns a Listener on ln. Options.Address is not used.
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

// Addr returns the bound address.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close stops listening; connections stay open. It may be called more than once.
func (l *Listener) Close() error { return l.ln.Close() }

// Accept returns the next connection within the limit. At the limit, it admits a connection provisionally if a parked one
// could be closed for it, see Conn.Accept. Only one goroutine may call Accept.
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

// admit returns sock as a connection of l.
func (l *Listener) admit(sock net.Conn, provisional bool) net.Conn {
	c := &Conn{Conn: sock, sock: sock, listener: l}
	if provisional {
		l.startProvisional(c)
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

// remove removes c, which is being closed, from the count of connections and from the wheel.
func (l *Listener) remove(c *Conn) {
	l.open.Add(-1)
	l.mu.Lock()
	l.wheel.remove(c)
	l.mu.Unlock()
}

// cut closes the sockets of all connections, so that reads and writes fail at once. The servers then close the
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

// maxRefusing limits how many connections over the limit are being answered at once, on all listeners; more are closed
// without an answer. Their open files come from the reserve, which belongs to no listener's share.
const maxRefusing = 32

// refuse rejects a connection over the limit. It does not block.
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
		// Closing with unread bytes would reset the connection, and the answer would be lost.
		closeLingering(sock)
	}()
}

// PeerAddr returns the address of a TCP peer, and the zero Addr for a Unix socket's peer.
func PeerAddr(addr net.Addr) netip.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
