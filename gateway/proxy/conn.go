package proxy

import (
	"bufio"
	"net"
	"sync"
	"time"

	"jobgate/gateway/edge"
)

// conn is a connection to an upstream. One request at a time uses it.
type conn struct {
	net.Conn // a deadlineConn, below TLS if the upstream uses it
	upstream *upstream
	watch    watch
	reader   *bufio.Reader // nil while idle
	body     body          // of the current answer
	reusable bool          // according to the answer's head
	sent     int64         // bytes of the current request that were written
	keep     time.Duration // how long to keep it idle
	expires  time.Time     // from when on it is not used for another request
}

func newConn(u *upstream, socket net.Conn) *conn {
	c := &conn{upstream: u, Conn: &deadlineConn{Conn: socket, timeout: u.timeout}, keep: maxIdle}
	c.watch.start(socket)
	return c
}

// Write writes p and adds to c.sent.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent += int64(n)
	return n, err
}

// readers pools the readers of connections. A connection has one only while in use.
var readers sync.Pool

// begin readies c for a request.
func (c *conn) begin() {
	c.sent = 0
	if r, ok := readers.Get().(*bufio.Reader); ok && r.Size() == c.upstream.buffer {
		r.Reset(c)
		c.reader = r
		return
	}
	c.reader = bufio.NewReaderSize(c, c.upstream.buffer)
}

// end returns c to its pool, or closes it if it cannot be reused.
func (c *conn) end(reusable bool) {
	r := c.reader
	c.reader = nil
	reusable = reusable && r.Buffered() == 0 // otherwise it has sent unsolicited data
	r.Reset(nil)
	readers.Put(r)
	if !reusable {
		_ = c.Close()
		return
	}
	c.expires = time.Now().Add(c.keep)
	c.upstream.pool.put(c)
}

// deadlineConn gives every read and write its own deadline: a long body may take long, but a silent peer times out.
type deadlineConn struct {
	net.Conn
	timeout     time.Duration
	read, write edge.Deadline
}

func (c *deadlineConn) Read(p []byte) (int, error) {
	if at, due := c.read.Next(c.timeout); due {
		if err := c.SetReadDeadline(at); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func (c *deadlineConn) Write(p []byte) (int, error) {
	if at, due := c.write.Next(c.timeout); due {
		if err := c.SetWriteDeadline(at); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}
