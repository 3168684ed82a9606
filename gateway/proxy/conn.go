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
	net.Conn // deadlines moved along, and above them TLS, where the upstream speaks it
	upstream *upstream
	watch    watch
	reader   *bufio.Reader // while a request uses it
	body     body          // of the answer that is being read
	reusable bool          // as far as the answer's head says
	sent     int64         // bytes of the present request that were written
	keep     time.Duration // how long the upstream keeps it idle, as it says
	expires  time.Time     // when it is too old for another request
}

func newConn(u *upstream, socket net.Conn) *conn {
	c := &conn{upstream: u, Conn: &patient{Conn: socket, timeout: u.timeout}, keep: maxIdle}
	c.watch.start(socket)
	return c
}

// Write counts what it writes.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent += int64(n)
	return n, err
}

// readers are those of connections in use: an idle one has no buffer.
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

// patient gives every read and write its own deadline, so that a long body may take long, but a silent peer is closed.
type patient struct {
	net.Conn
	timeout     time.Duration
	read, write edge.Deadline
}

func (c *patient) Read(p []byte) (int, error) {
	if at, due := c.read.Next(c.timeout); due {
		if err := c.SetReadDeadline(at); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func (c *patient) Write(p []byte) (int, error) {
	if at, due := c.write.Next(c.timeout); due {
		if err := c.SetWriteDeadline(at); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}
