package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"
	"jobgate/bench/load/socket"
)

// dialer opens a run's connections. It is safe for concurrent use.
type dialer struct {
	network string
	addrs   []string // resolved once, used in turn
	turn    atomic.Uint32
	timeout time.Duration
	tls     *tls.Config // nil: plain

	connects, handshakes, resumed atomic.Int64
	describe                      sync.Once
	protocol                      string // TLS version and suite of the first connection; after describe
}

// newDialer resolves the target's name once, so that a run does not measure the resolver.
func newDialer(ctx context.Context, p *plan.Plan, target *url.URL) (*dialer, error) {
	d := &dialer{network: "tcp", timeout: p.Timeout}
	if target.Scheme == "https" || target.Scheme == "mqtts" {
		d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if p.TLS != nil {
			d.tls = p.TLS.Clone()
		}
		if d.tls.ServerName == "" {
			d.tls.ServerName = target.Hostname()
		}
		if d.tls.NextProtos = nil; target.Scheme == "https" {
			d.tls.NextProtos = []string{"http/1.1"}
		}
	}
	if p.Unix != "" {
		d.network, d.addrs = "unix", []string{p.Unix}
		return d, nil
	}
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "mqtt": "1883", "mqtts": "8883"}[target.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	ips, err := net.DefaultResolver.LookupHost(ctx, target.Hostname())
	if err != nil {
		return nil, fmt.Errorf("cannot resolve %q: %w", target.Hostname(), err)
	}
	for _, ip := range ips {
		d.addrs = append(d.addrs, net.JoinHostPort(ip, port))
	}
	return d, nil
}

// dial opens a connection within the timeout, TLS handshake included.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	var plain net.Dialer
	// One address after the other, from the next in turn, as a client would fall back.
	var nc net.Conn
	var err error
	first := d.turn.Add(1)
	for i := range len(d.addrs) {
		addr := d.addrs[(int(first)+i)%len(d.addrs)]
		if nc, err = plain.DialContext(ctx, d.network, addr); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	d.connects.Add(1)
	if d.tls == nil {
		return nc, nil
	}
	tc := tls.Client(socket.Peekable(nc), d.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // the handshake's error is clearer
		return nil, answer.TLSError{Err: err}
	}
	state := tc.ConnectionState()
	d.handshakes.Add(1)
	if state.DidResume {
		d.resumed.Add(1)
	}
	d.describe.Do(func() {
		d.protocol = tls.VersionName(state.Version) + ", " + tls.CipherSuiteName(state.CipherSuite)
	})
	return tc, nil
}

// conn is a connection with buffers to read answers. It belongs to one worker; others may only call close.
type conn struct {
	nc       net.Conn
	br       *bufio.Reader
	opened   time.Duration
	deadline time.Duration // the one set, see extend
	answers  int
	in, out  int64            // bytes read and written
	failed   error            // of the last Read
	exchange *socket.Exchange // nil: not possible
	request  []byte           // to be written by the next Read
}

func newConn(nc net.Conn, now time.Duration, br *bufio.Reader) *conn {
	c := &conn{nc: nc, opened: now, br: br, exchange: socket.NewExchange(nc)}
	c.br.Reset(c)
	return c
}

// send writes a request, or leaves that to the following Read, which can do both in one exchange. The connection uses request
// until there is an answer.
func (c *conn) send(request []byte) error {
	if c.exchange != nil {
		c.request = request
		return nil
	}
	return c.write(request)
}

func (c *conn) write(p []byte) error {
	n, err := c.nc.Write(p)
	c.out += int64(n)
	return err
}

// Read counts the bytes that br reads, and keeps the error: fasthttp turns most errors before an answer's first byte into EOF.
func (c *conn) Read(p []byte) (n int, err error) {
	rest := c.request
	if c.request = nil; rest != nil {
		var sent int
		sent, n, err = c.exchange.Do(rest, p)
		c.out += int64(sent)
		rest = rest[sent:]
	}
	// Slow path: more of the answer, or a request that was written in parts.
	if n == 0 && err == nil {
		if len(rest) > 0 {
			err = c.write(rest)
		}
		if err == nil {
			n, err = c.nc.Read(p)
		}
	}
	c.in += int64(n)
	c.failed = err
	return n, err
}

// unsolicited reports whether the target has closed the connection, or has sent something without a request, such as a 408: either
// ends the connection. Its deadline must not have passed.
func (c *conn) unsolicited() bool {
	var p [1]byte
	n, err := socket.ReadAvailable(c.nc, c.exchange, p[:])
	return n > 0 || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
}

// extend makes the connection fail between timeout and 9/8 of it from now. Moving a
// deadline costs a tenth of a request, so it is moved only when necessary.
func (c *conn) extend(now, timeout time.Duration) error {
	if c.deadline-now >= timeout {
		return nil
	}
	c.deadline = now + timeout + timeout/8
	return c.nc.SetDeadline(time.Now().Add(timeout + timeout/8))
}
