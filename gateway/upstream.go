package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Passive health: an upstream that failed maxFailures times in a row is left out
// for ejectFor, doubling with every further failure up to ejectForMax. With all of
// them out, the one that comes back first is tried.
const (
	maxFailures = 3
	ejectFor    = time.Second
	ejectForMax = time.Minute
)

// upstream is one server of the fleet backend.
type upstream struct {
	scheme   string
	host     string      // host:port as in the configuration, sent as Host
	tls      *tls.Config // of https://
	client   *fasthttp.HostClient
	failures atomic.Int32
	outUntil atomic.Int64 // Unix nanoseconds; 0: in
}

// balancer hands out upstreams in turn. Safe for concurrent use.
type balancer struct {
	upstreams []*upstream
	next      atomic.Uint32
}

// newBalancer makes a balancer over base URLs such as "http://127.0.0.1:9000".
// timeout bounds connecting and every single wait for bytes, not a whole body.
func newBalancer(urls []string, timeout time.Duration, lowMemory bool) (*balancer, error) {
	b := &balancer{}
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("cannot use upstream %q: want http://host:port or https://host:port", raw)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
			return nil, fmt.Errorf("cannot use upstream %q: it must have no user, path or query; the path is forwarded as the device sent it", raw)
		}
		b.upstreams = append(b.upstreams, newUpstream(u, timeout, lowMemory))
	}
	return b, nil
}

func newUpstream(u *url.URL, timeout time.Duration, lowMemory bool) *upstream {
	up := &upstream{
		scheme: u.Scheme, host: u.Host,
		tls: &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)},
	}
	dialer := &fasthttp.TCPDialer{Concurrency: 0, DNSCacheDuration: 30 * time.Second}
	up.client = &fasthttp.HostClient{
		Addr: addr(u),
		Dial: func(addr string) (net.Conn, error) {
			conn, err := dialer.DialDualStackTimeout(addr, timeout)
			if err != nil {
				return nil, err
			}
			return up.secure(&idleTimeoutConn{Conn: conn, timeout: timeout})
		},
		MaxConns:                      1 << 16,
		MaxIdleConnDuration:           30 * time.Second,
		MaxIdemponentCallAttempts:     1, // the proxy decides what is tried again
		RetryIfErr:                    func(*fasthttp.Request, int, error) (bool, bool) { return false, false },
		DisablePathNormalizing:        true,
		NoDefaultUserAgentHeader:      true,
		DisableHeaderNamesNormalizing: false,
		SecureErrorLogMessage:         true,
		StreamResponseBody:            true,
	}
	if !lowMemory {
		up.client.ReadBufferSize, up.client.WriteBufferSize = 16<<10, 8<<10
	}
	return up
}

// secure puts TLS onto a new connection of an https:// upstream. The client is not told of it: above TLS stands
// another connection of ours.
func (u *upstream) secure(conn net.Conn) (net.Conn, error) {
	if u.scheme != "https" {
		return newAnswerConn(conn), nil
	}
	secured := tls.Client(conn, u.tls)
	if err := secured.Handshake(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return newAnswerConn(secured), nil
}

// do sends req once. The answer's body is still to be read.
func (u *upstream) do(req *fasthttp.Request, answer *fasthttp.Response) error {
	if err := u.client.Do(req, answer); err != nil {
		return err
	}
	if local, ok := answer.LocalAddr().(*answerAddr); ok {
		local.conn.chunked = answer.Header.ContentLength() == -1
	}
	return nil
}

// answerConn does not let its end pass for that of a chunked body: fasthttp takes one without its last chunk for whole.
type answerConn struct {
	net.Conn
	local   *answerAddr
	chunked bool // the answer that is being read
}

func newAnswerConn(conn net.Conn) *answerConn {
	c := &answerConn{Conn: conn}
	c.local = &answerAddr{conn.LocalAddr(), c}
	return c
}

// answerAddr is by which an answer tells its connection: fasthttp shows nothing else of it.
type answerAddr struct {
	net.Addr
	conn *answerConn
}

// LocalAddr returns an answerAddr.
func (c *answerConn) LocalAddr() net.Addr { return c.local }

// Read reports the end by itself, and not with the last bytes before it, as TLS does.
func (c *answerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch {
	case n > 0 && errors.Is(err, io.EOF):
		return n, nil
	case errors.Is(err, io.EOF) && c.chunked:
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func addr(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// pick returns the upstream whose turn it is, passing over those that are out and
// over last, the one that has just failed this request.
func (b *balancer) pick(now time.Time, last *upstream) *upstream {
	n := len(b.upstreams)
	if n == 1 {
		return b.upstreams[0]
	}
	start := int(b.next.Add(1))
	var first *upstream // of those that are out, the first to come back
	for i := range n {
		u := b.upstreams[(start+i)%n]
		if u == last {
			continue
		}
		out := u.outUntil.Load()
		if out <= now.UnixNano() {
			return u
		}
		if first == nil || out < first.outUntil.Load() {
			first = u
		}
	}
	return first
}

// failed and worked are told how a request to u went.
func (u *upstream) failed(now time.Time) {
	n := u.failures.Add(1)
	if n < maxFailures {
		return
	}
	out := min(ejectFor<<min(n-maxFailures, 10), ejectForMax)
	u.outUntil.Store(now.Add(out).UnixNano())
}

func (u *upstream) worked() {
	if u.failures.Load() != 0 {
		u.failures.Store(0)
		u.outUntil.Store(0)
	}
}

func (b *balancer) close() {
	for _, u := range b.upstreams {
		u.client.CloseIdleConnections()
	}
}

// notSent reports whether err says that no byte of the request reached the upstream.
func notSent(err error) bool {
	var op *net.OpError
	var lookup *net.DNSError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &lookup) || errors.Is(err, fasthttp.ErrDialTimeout) || errors.Is(err, fasthttp.ErrNoFreeConns)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// idleTimeoutConn gives every read and write its own deadline, so that a long body
// may take its time while a silent peer may not.
type idleTimeoutConn struct {
	net.Conn
	timeout     time.Duration
	read, write deadline
}

func (c *idleTimeoutConn) Read(p []byte) (int, error) {
	if at, due := c.read.next(c.timeout); due {
		if err := c.SetReadDeadline(at); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

func (c *idleTimeoutConn) Write(p []byte) (int, error) {
	if at, due := c.write.next(c.timeout); due {
		if err := c.SetWriteDeadline(at); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}
