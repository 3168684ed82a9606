package edge

import (
	"container/list"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge/poller"
	"jobgate/gateway/edge/proxyprotocol"
	"jobgate/gateway/edge/tlsserver"
)

// Conn is a connection of a Listener: a layer over the socket, or over the TLS connection on it, that owns deadlines and
// closing. A server reads and writes it like any connection.
//
// A read deadline set by a server takes effect at the next Read. It may be late by an eighth of the shorter of the read and
// idle time-outs. Each piece of an answer has its own WriteTimeout: a long answer may take long, but the connection of a
// client that reads nothing is closed. A write deadline set by the server, for example for an event stream, applies until the
// server sets the zero time.
//
// A client that closes, fails or stays silent before it has sent anything gets no answer: Read returns io.EOF, on which
// servers close without writing.
type Conn struct {
	net.Conn // reads and writes: the socket, the layer that strips its PROXY header, or TLS on either

	sock     net.Conn            // has the deadlines
	tls      *tls.Conn           // nil: plain
	proxied  *proxyprotocol.Conn // nil: the peer's PROXY header is not trusted
	listener *Listener

	read  lateDeadline
	write Deadline
	pace  pace
	state atomic.Int32

	records *tlsserver.Records // nil: plain
	Owner   any                // for the server's use

	// See wheel.
	idleSince atomic.Uint32 // tick; set before Idle
	steady    atomic.Bool   // its last request came within ParkAfter of the one before

	// The connection's place in the Listener, in the wheel or among the parked. Guarded by the Listener's mu.
	slot     uint8
	parked   bool
	index    int32         // in the slot
	ending   int32         // in parking.endings
	fd, mark int32         // the descriptor and the number of this parking, if parked
	place    *list.Element // in parking.order

	awake    bool // is not parked before the next request
	quiet    bool // silent for long enough to be parked
	expelled bool // the next Read returns io.EOF

	gotBytes   bool // a byte of a request was read
	ended      bool // the client has closed, or the handshake failed; see CutOff
	lingers    bool
	handshaken bool        // the handshake was done, or failed
	ownWrite   atomic.Bool // the server has set a write Deadline

	provisional atomic.Bool // beyond the limit, see Accept
}

// State is the state of a connection.
type State int32

// A connection is Fresh until the first byte of a request arrives, Active while a request is read and answered, and Idle
// between requests. Close makes it closed, for good.
const (
	Fresh State = iota
	Active
	Idle
	closed
)

// SetState sets the connection's state, unless it is closed. Servers call it once per change, like their ConnState hooks,
// from the connection's goroutine. Another goroutine may close the connection meanwhile.
func (c *Conn) SetState(s State) {
	switch w := &c.listener.wheel; s {
	case Idle:
		c.idleSince.Store(w.now.Load())
	case Active:
		w.recordRequest(c)
	case Fresh, closed:
	}
	before := State(c.state.Load())
	if before == s || before == closed || !c.state.CompareAndSwap(int32(before), int32(s)) { // it fails only if Close came first
		return
	}
	if s == Active {
		c.pace, c.awake = pace{}, false
	}
	c.listener.changed(before, s)
}

// changed counts a change of a connection's state.
func (l *Listener) changed(before, after State) {
	if before == Fresh {
		l.fresh.Add(-1)
	}
	switch Active {
	case before:
		l.active.Add(-1)
	case after:
		l.active.Add(1)
	}
}

// Of returns conn's Conn: conn itself, or the Conn in a TLSConn; nil if conn is neither.
func Of(conn net.Conn) *Conn {
	switch c := conn.(type) {
	case *Conn:
		return c
	case *TLSConn:
		return c.Conn
	}
	return nil
}

// Read reads into p. It returns io.EOF for a silent connection that should be parked.
func (c *Conn) Read(p []byte) (int, error) {
	if c.tls != nil && c.handshake() != nil { // servers may ignore what Handshake returned to them
		return 0, io.EOF
	}
	n, err := c.readOnce(p)
	for n == 0 && IsTimeout(err) && c.interrupted() {
		if c.parks() {
			c.quiet = true
			return 0, io.EOF
		}
		n, err = c.readOnce(p)
	}
	if n > 0 {
		c.gotBytes = true
		c.pace.read += int64(n)
		if errors.Is(err, io.EOF) {
			err = nil // the next read reports it
		}
	}
	if err == nil {
		return n, nil
	}
	c.ended = c.ended || errors.Is(err, io.EOF)
	if !c.gotBytes || c.awake {
		return 0, io.EOF
	}
	return n, err
}

// readOnce reads into p until the deadline.
func (c *Conn) readOnce(p []byte) (int, error) {
	if c.expelled {
		return 0, io.EOF
	}
	if at, due := c.read.next(c.listener.readSlack); due {
		if err := c.sock.SetReadDeadline(at); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// maxPiece is the number of bytes written under one deadline.
const maxPiece = 64 << 10

// Write writes p.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		if t := c.listener.WriteTimeout; t > 0 && !c.ownWrite.Load() {
			if at, due := c.write.Next(t); due {
				if err := c.sock.SetWriteDeadline(at); err != nil {
					return n, err
				}
			}
		}
		m, err := c.Conn.Write(p[n:min(len(p), n+maxPiece)])
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// SetReadDeadline applies to reads that begin after the call. While a request arrives, the least rate limits the deadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	switch State(c.state.Load()) {
	case Active:
		t = c.pace.limit(t)
	case Idle:
		if c.awake { // the idle time began before the connection was parked
			return nil
		}
	case Fresh, closed:
	}
	c.read.wanted = t
	return nil
}

// SetWriteDeadline replaces the listener's write deadlines, also for a write in progress, until it is called with the zero
// time. It may be called while another goroutine writes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.ownWrite.Store(!t.IsZero())
	return c.sock.SetWriteDeadline(t)
}

// SetDeadline sets the read and the write deadline.
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t) // never fails
	return c.SetWriteDeadline(t)
}

// RemoteAddr returns the client's address: the address in a trusted peer's PROXY header, once the first byte was read, else
// the peer's.
func (c *Conn) RemoteAddr() net.Addr {
	if c.proxied != nil && c.proxied.Source != nil {
		return c.proxied.Source
	}
	return c.sock.RemoteAddr()
}

// Close closes the connection, or parks it, see Listener.Park.
func (c *Conn) Close() error {
	if c.listener.parksByClose() && c.Park() {
		return nil
	}
	before := State(c.state.Swap(int32(closed)))
	if before == closed {
		return net.ErrClosed
	}
	c.endProvisional()
	c.listener.unparkToClose(c)
	defer c.listener.remove(c)
	c.listener.changed(before, closed)
	if !c.lingers {
		return c.Conn.Close()
	}
	if c.tls != nil {
		_ = c.tls.CloseWrite()
	}
	closeLingering(c.sock)
	return nil
}

// serverConn returns the connection for servers: c, or its TLSConn.
func (c *Conn) serverConn() net.Conn {
	if c.tls != nil {
		return &TLSConn{c}
	}
	return c
}

// closeAtOnce closes a connection that no server serves. It does not wait for the client: TLS's close_notify is sent only if
// it fits in the socket's buffer.
func (c *Conn) closeAtOnce() {
	if c.tls != nil && !poller.Writable(c.fd) {
		c.Conn = c.sock
	}
	_ = c.Close()
}

// Limits on what a client may still send while a connection lingers. Beyond them the connection is reset.
const (
	lingerTime  = time.Second
	lingerBytes = 16 << 20
)

// closeLingering closes the write side, discards what the client still sends until it closes, and closes sock. Closing a
// connection with unread bytes would reset it, and a reset discards bytes that the client has not read yet, such as the
// answer.
func closeLingering(sock net.Conn) {
	if half, ok := sock.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil && sock.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(sock, lingerBytes)) // until the client closes, lingerTime or lingerBytes
	}
	_ = sock.Close()
}

// LetRead makes ctx's response the last on its connection, and lets the client read it even if the request was not read to
// its end: a 413 reaches a client that is still sending.
func LetRead(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	if c := Of(ctx.Conn()); c != nil {
		c.lingers = true
	}
}

// CutOff says, at the end of a request's streamed body, whether the body ended because the connection ended. fasthttp does not
// report a missing last chunk, or a body shorter than its length. When a complete request has been read, the end of the
// connection has not.
func CutOff(ctx *fasthttp.RequestCtx) bool {
	c := Of(ctx.Conn())
	return c != nil && c.ended
}

// TLSConn is a Conn with TLS. It has the methods that servers expect of a TLS connection.
type TLSConn struct{ *Conn }

// Handshake does the handshake unless it was done already.
func (c *TLSConn) Handshake() error { return c.handshake() }

// ConnectionState returns the negotiated parameters.
func (c *TLSConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// secure puts TLS on c.
func (c *Conn) secure(config *tls.Config) net.Conn {
	c.records = &tlsserver.Records{Conn: c.Conn}
	c.tls = tls.Server(c.records, config)
	c.Conn = c.tls
	return c.serverConn()
}

var errHandshakeFailed = errors.New("the TLS handshake has failed")

// handshake does the handshake once, within the read deadline, and counts and logs a failure.
func (c *Conn) handshake() error {
	if c.handshaken {
		return c.tls.Handshake() // the result of the first call
	}
	c.handshaken = true
	if err := c.sock.SetDeadline(c.read.wanted); err != nil {
		return err
	}
	c.read.set, c.write = c.read.wanted, Deadline{}
	err := c.tls.Handshake()
	_ = c.sock.SetWriteDeadline(time.Time{}) // the next write sets its own
	if err == nil {
		return nil
	}
	c.ended = true
	c.listener.handshakeFailed(c, err)
	return errHandshakeFailed
}

// IsTimeout reports whether err is an exceeded deadline.
func IsTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
