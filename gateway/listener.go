package gateway

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/linger"
)

// listen binds "host:port" or "unix:///path". A Unix socket gets mode 0660; one that a
// dead process left behind is replaced, one that answers is not.
func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix://")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("another process listens there")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		_ = os.Remove(path)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// enduring goes on listening when a connection cannot be accepted for want of files or memory, of which others will give
// some back. To fasthttp that is the end of serving. Accept is called by one goroutine.
type enduring struct {
	net.Listener
	log  *slog.Logger
	said time.Time // when it was last logged
}

// acceptPause is how long the next try waits. Connections wait in the system's queue meanwhile.
const acceptPause = 50 * time.Millisecond

// Accept returns the next connection.
func (l *enduring) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err == nil {
			return conn, nil
		}
		if !wanting(err) {
			return nil, err
		}
		if now := time.Now(); now.Sub(l.said) >= time.Second {
			l.said = now
			l.log.Warn("connections wait: one cannot be accepted; see limits.max_connections and the limit of open files (ulimit -n)", "error", err)
		}
		time.Sleep(acceptPause)
	}
}

// wanting says whether err speaks of the process or the machine being short of something.
func wanting(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// deviceListener accepts devices: max of them at once, the others are told to come back.
type deviceListener struct {
	net.Listener
	server       *Server
	readSlack    time.Duration // by how much a read's deadline may be late
	writeTimeout time.Duration
	max          int64 // 0: no limit
	open         atomic.Int64
	turning      atomic.Int64 // connections that are being turned away
	tls          bool
}

// Accept returns the next connection within the limit.
func (l *deviceListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if n := l.open.Add(1); l.max == 0 || n <= l.max {
			return &deviceConn{Conn: conn, listener: l}, nil
		}
		l.open.Add(-1)
		l.server.counters.shedConnections.Inc()
		l.turnAway(conn)
	}
}

// maxTurnedAway is how many connections over the limit are answered at once; more are
// closed without a word.
const maxTurnedAway = 64

// turnAway answers on a connection over the limit and closes it, without making others
// wait: a client takes an answer only to a request that it has sent.
func (l *deviceListener) turnAway(conn net.Conn) {
	if n := l.turning.Add(1); l.tls || n > maxTurnedAway {
		l.turning.Add(-1)
		_ = conn.Close()
		return
	}
	go func() {
		defer l.turning.Add(-1)
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if n, _ := conn.Read(make([]byte, 1024)); n == 0 {
			return
		}
		const body = `{"code":"ServiceUnavailable","message":"the gateway is at its limit of connections; see limits.max_connections"}`
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Amzn-ErrorType: ServiceUnavailableException\r\n"+
			"X-Amzn-RequestId: %s\r\nCache-Control: no-store\r\nRetry-After: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
			uuid.NewString(), edge.RetryAfter(2*time.Second), len(body), body)
		// Closed with bytes unread, the connection would be reset, and the answer lost.
		linger.On(conn)
	}()
}

// deviceConn gives every write its own deadline, so that a long answer may take its
// time while a device that reads nothing may not. Reads have fasthttp's.
type deviceConn struct {
	net.Conn
	listener *deviceListener
	closed   atomic.Bool
	over     bool // see cutOff
	read     lateDeadline
	write    deadline
}

func (c *deviceConn) Read(p []byte) (int, error) {
	if at, due := c.read.next(c.listener.readSlack); due {
		if err := c.Conn.SetReadDeadline(at); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	c.over = c.over || errors.Is(err, io.EOF)
	return n, err
}

func (c *deviceConn) ended() bool { return c.over }

// cutOff says, at the end of a request's streamed body, whether it is the connection that has ended. fasthttp tells
// nobody that a chunked body lacks its last chunk, or another a part of its length. A connection whose request came
// whole has not been read to its end.
func cutOff(ctx *fasthttp.RequestCtx) bool {
	c, known := ctx.Conn().(interface{ ended() bool })
	return known && c.ended()
}

func (c *deviceConn) Write(p []byte) (int, error) {
	if t := c.listener.writeTimeout; t > 0 {
		if at, due := c.write.next(t); due {
			if err := c.Conn.SetWriteDeadline(at); err != nil {
				return 0, err
			}
		}
	}
	return c.Conn.Write(p)
}

// SetReadDeadline is fasthttp's, for the reads that begin after it.
func (c *deviceConn) SetReadDeadline(t time.Time) error {
	c.read.wanted = t
	return nil
}

// SetDeadline and SetWriteDeadline are fasthttp's: the next write sets its own again.
func (c *deviceConn) SetDeadline(t time.Time) error {
	c.read, c.write = lateDeadline{wanted: t, set: t}, deadline{}
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline: see SetDeadline.
func (c *deviceConn) SetWriteDeadline(t time.Time) error {
	c.write = deadline{}
	return c.Conn.SetWriteDeadline(t)
}

// Linger is for linger.Answer.
func (c *deviceConn) Linger() { linger.On(c.Conn) }

// Close closes the connection and gives its place to another.
func (c *deviceConn) Close() error {
	if !c.closed.Swap(true) {
		c.listener.open.Add(-1)
	}
	return c.Conn.Close()
}
