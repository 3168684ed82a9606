// Package linger lets an answer arrive that is given before its request was read to the end.
//
//	client ── a request, too large ──► read in part ──► Answer: 413 ──► end of writing ──► the rest is read and dropped
//	                                                                    └─ when the server closes the connection
//
// A connection that is closed with bytes of the client unread is reset, and a reset discards what the client has not
// read yet, the answer among it.
package linger

import (
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// What a client may still send, and for how long: more than that is reset after all.
const (
	maxTime  = time.Second
	maxBytes = 16 << 20
)

// Listener makes each connection of another listener a Conn.
type Listener struct{ net.Listener }

// Accept returns the next connection.
func (l Listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: conn}, nil
}

// Conn is a connection that lingers, when it is closed, if Linger was called before.
type Conn struct {
	net.Conn
	lingers bool
}

// Linger makes Close end the writing first, and drop what the client still sends until it closes. Like Close, it is for
// the goroutine that serves the connection.
func (c *Conn) Linger() { c.lingers = true }

// CloseWrite ends the writing.
func (c *Conn) CloseWrite() error {
	if tcp, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return tcp.CloseWrite()
	}
	return net.ErrClosed
}

// Close closes the connection.
func (c *Conn) Close() error {
	if c.lingers && c.CloseWrite() == nil && c.SetReadDeadline(time.Now().Add(maxTime)) == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(c.Conn, maxBytes)) // ends with the client, the time or the bytes
	}
	return c.Conn.Close()
}

// Answer sees to it that ctx's response arrives, as the last one of its connection. What stands around a Conn has a
// method Linger too, that calls On with what is within.
func Answer(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	On(ctx.Conn())
}

// On calls conn's method Linger, if it has one.
func On(conn net.Conn) {
	if c, ok := conn.(interface{ Linger() }); ok {
		c.Linger()
	}
}
