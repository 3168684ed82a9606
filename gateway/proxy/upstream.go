package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Passive health: an upstream that fails maxFailures times in a row is ejected for ejectFor, which doubles with every
// further failure up to ejectForMax. If all are ejected, the one that returns first is tried.
const (
	maxFailures = 3
	ejectFor    = time.Second
	ejectForMax = time.Minute
)

// upstream is one server of the fleet backend. Safe for concurrent use.
type upstream struct {
	host    string      // host:port as in the configuration, sent as Host
	address string      // the address to dial
	tls     *tls.Config // nil: http://
	timeout time.Duration
	buffer  int // size of a reader in bytes; limits an answer's head
	dialer  *fasthttp.TCPDialer
	pool    pool

	failures     atomic.Int32
	ejectedUntil atomic.Int64 // Unix nanoseconds; 0: not ejected
}

// balancer picks upstreams in rotation. Safe for concurrent use.
type balancer struct {
	upstreams []*upstream
	next      atomic.Uint32
}

// newBalancer makes a balancer over base URLs such as "http://127.0.0.1:9000". timeout limits connecting and every
// single wait for bytes, not a whole body.
func newBalancer(urls []string, timeout time.Duration, buffer int) (*balancer, error) {
	b := &balancer{}
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("cannot use upstream %q: want http://host:port or https://host:port", raw)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
			return nil, fmt.Errorf("cannot use upstream %q: it must have no user, path or query; the path is forwarded as the device sent it", raw)
		}
		b.upstreams = append(b.upstreams, newUpstream(u, timeout, buffer))
	}
	return b, nil
}

func newUpstream(u *url.URL, timeout time.Duration, buffer int) *upstream {
	up := &upstream{
		host: u.Host, timeout: timeout, buffer: buffer, address: u.Host,
		dialer: &fasthttp.TCPDialer{Concurrency: 0, DNSCacheDuration: 30 * time.Second},
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
		up.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	}
	if u.Port() == "" {
		up.address = net.JoinHostPort(u.Hostname(), port)
	}
	return up
}

// connect returns an idle connection. If there is none, or fresh is set, it returns a new one.
func (u *upstream) connect(fresh bool) (*conn, error) {
	if !fresh {
		if c := u.pool.take(time.Now()); c != nil {
			return c, nil
		}
	}
	socket, err := u.dialer.DialDualStackTimeout(u.address, u.timeout)
	if err != nil {
		return nil, &dialError{cause: err}
	}
	c := newConn(u, socket)
	if u.tls == nil {
		return c, nil
	}
	secured := tls.Client(c.Conn, u.tls)
	if err := secured.Handshake(); err != nil {
		_ = socket.Close()
		return nil, &dialError{cause: err, handshake: true}
	}
	c.Conn = secured
	return c, nil
}

// pick returns the next upstream in rotation. It skips ejected ones, and last, which has just failed this request.
func (b *balancer) pick(now time.Time, last *upstream) *upstream {
	n := len(b.upstreams)
	if n == 1 {
		return b.upstreams[0]
	}
	start := int(b.next.Add(1))
	var first *upstream // the ejected one that returns first
	for i := range n {
		u := b.upstreams[(start+i)%n]
		if u == last {
			continue
		}
		until := u.ejectedUntil.Load()
		if until <= now.UnixNano() {
			return u
		}
		if first == nil || until < first.ejectedUntil.Load() {
			first = u
		}
	}
	return first
}

// failed and succeeded record the outcome of a request to u.
func (u *upstream) failed(now time.Time) {
	n := u.failures.Add(1)
	if n < maxFailures {
		return
	}
	duration := min(ejectFor<<min(n-maxFailures, 10), ejectForMax)
	u.ejectedUntil.Store(now.Add(duration).UnixNano())
}

func (u *upstream) succeeded() {
	if u.failures.Load() != 0 {
		u.failures.Store(0)
		u.ejectedUntil.Store(0)
	}
}

func (b *balancer) close() {
	for _, u := range b.upstreams {
		u.pool.close()
	}
}
