//go:build linux

package edge_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/servertest"
)

const soon = 50 * time.Millisecond // the tests' ParkAfter

// parks makes a site park connections after soon.
func parks(o *edge.Options, _ *edge.HTTPOptions, _ *edge.Drain) { o.ParkAfter = soon }

func parksTLS(files edge.TLS) func(*edge.Options, *edge.HTTPOptions, *edge.Drain) {
	return func(o *edge.Options, _ *edge.HTTPOptions, _ *edge.Drain) { o.ParkAfter, o.TLS = soon, &files }
}

// ask sends a request on conn and checks the answer.
func ask(t *testing.T, conn net.Conn, request, want string) {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if status, body := answer(t, bufio.NewReader(conn)); status != 200 || body != want {
		t.Fatalf("%d %q, want %q", status, body, want)
	}
}

func (s *site) parked(t *testing.T, n float64) {
	t.Helper()
	servertest.Eventually(t, "connections are parked", func() bool { return s.state(t, "parked") == n })
}

// secure is dial with TLS. raw is the connection under TLS.
func (s *site) secure(t *testing.T, config *tls.Config) (conn *tls.Conn, raw net.Conn) {
	t.Helper()
	raw = s.dial(t)
	conn = tls.Client(raw, config)
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn, raw
}

func trusting(pair tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "edge.test"}
}

// goroutines returns how many goroutines run f.
func goroutines(t *testing.T, f string) int {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
		t.Fatal(err)
	}
	return strings.Count(b.String(), f+"(")
}

func echo(ctx *fasthttp.RequestCtx) {
	ctx.Response.SetBody(append(append([]byte(nil), ctx.Path()...), ctx.PostBody()...))
}

// A parked connection has no goroutine, and every later request is answered.
func TestParked(t *testing.T) {
	files, pair := certificate(t, time.Now().Add(time.Hour))
	f := func(what string, s *site, dial func() net.Conn) {
		t.Helper()
		conns := []net.Conn{dial(), dial(), dial()}
		for range 3 {
			for _, c := range conns {
				ask(t, c, "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", "/xbody")
			}
			s.parked(t, 3)
			if n := s.state(t, "idle") + s.state(t, "active") + s.state(t, "fresh"); n != 0 {
				t.Errorf("%s: %v connections are not parked", what, n)
			}
			servertest.Eventually(t, "no goroutine serves them", func() bool { return goroutines(t, "fasthttp.(*Server).serveConnCounted") == 0 })
		}
		for _, c := range conns {
			_ = c.Close()
		}
		servertest.Eventually(t, "they are closed", func() bool { return s.state(t, "parked")+s.state(t, "idle") == 0 })
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}
	plain := serve(t, echo, parks)
	f("plain", plain, func() net.Conn { return plain.dial(t) })
	secure := serve(t, echo, parksTLS(files))
	f("TLS", secure, func() net.Conn { c, _ := secure.secure(t, trusting(pair)); return c })
}

// Whatever a client sends on a parked connection is handled as on any other, however it is split.
func TestParkedRequests(t *testing.T) {
	s := serve(t, echo, func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) {
		parks(o, h, d)
		o.ReadTimeout, h.ReadTimeout = 500*time.Millisecond, 500*time.Millisecond
	})
	f := func(what, sent, want string) {
		t.Helper()
		conn := s.dial(t)
		ask(t, conn, get, "/")
		s.parked(t, 1)
		_, _ = io.WriteString(conn, sent)
		_ = conn.(*net.TCPConn).CloseWrite()
		got, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(got), want) || want == "" && len(got) > 0 {
			t.Errorf("%s: %q, %v", what, got, err)
		}
		if n := strings.Count(string(got), "HTTP/1.1 200"); n != strings.Count(sent, "GET") && strings.HasPrefix(want, "HTTP/1.1 200") {
			t.Errorf("%s: %d answers", what, n)
		}
		servertest.Eventually(t, "it is closed", func() bool { return s.state(t, "parked")+s.state(t, "idle") == 0 })
	}
	f("nothing, then closed", "", "")
	f("pipelined", get+get+get, "HTTP/1.1 200 ")
	f("no request", "what?\r\n\r\n", "HTTP/1.1 400 ")

	conn := s.dial(t) // half a request has the read time-out, and is answered with 408
	ask(t, conn, get, "/")
	s.parked(t, 1)
	_, _ = io.WriteString(conn, "GET / HT")
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 408 ") {
		t.Errorf("half a request: %q, %v", got, err)
	}
	conn = s.dial(t) // a request that arrives byte by byte is read
	ask(t, conn, get, "/")
	s.parked(t, 1)
	for _, b := range get {
		_, _ = conn.Write([]byte{byte(b)})
	}
	if status, _ := answer(t, bufio.NewReader(conn)); status != 200 {
		t.Error(status)
	}
}

// cutter passes on the next pass bytes, and holds the bytes after them.
type cutter struct {
	net.Conn
	pass int
	held []byte
}

func (c *cutter) Write(p []byte) (int, error) {
	n := min(c.pass, len(p))
	c.pass -= n
	c.held = append(c.held, p[n:]...)
	if _, err := c.Conn.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// A connection with half a TLS record keeps its goroutine and its idle time-out. Once the rest arrives, it is a request.
func TestParkedHalfRecord(t *testing.T) {
	t.Parallel()
	files, pair := certificate(t, time.Now().Add(time.Hour))
	f := func(what string, rest, parkFirst bool) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			idle := time.Minute
			if !rest {
				idle = 8 * time.Second // the test waits for it
			}
			s := serve(t, echo, func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) {
				parksTLS(files)(o, h, d)
				o.IdleTimeout, h.IdleTimeout = idle, idle
			})
			half := &cutter{Conn: s.dial(t), pass: 1 << 20}
			conn := tls.Client(half, trusting(pair))
			ask(t, conn, get, "/")
			if parkFirst {
				s.parked(t, 1)
			}
			half.pass = 20
			_, _ = io.WriteString(conn, get)
			if !parkFirst {
				time.Sleep(4 * soon) // it must not be parked meanwhile, and no event shows that
			}
			if rest {
				servertest.Eventually(t, "it is served", func() bool { return s.state(t, "idle") == 1 })
				_, _ = half.Conn.Write(half.held)
				if status, _ := answer(t, bufio.NewReader(conn)); status != 200 {
					t.Error(status)
				}
				_ = conn.Close()
			} else if got, err := io.ReadAll(conn); err != nil || len(got) > 0 {
				t.Errorf("at the end of the idle time: %q, %v", got, err)
			}
			servertest.Eventually(t, "it is closed", func() bool { return s.state(t, "parked")+s.state(t, "idle") == 0 })
		})
	}
	f("parked, the rest arrives", true, true)
	f("not parked, the rest arrives", true, false)
	f("parked, the rest is missing", false, true)
	f("not parked, the rest is missing", false, false)
}

// Parked connections are closed by the idle time-out without a byte of an answer; TLS connections with a close_notify.
func TestParkedIdleTimeout(t *testing.T) {
	t.Parallel()
	files, pair := certificate(t, time.Now().Add(time.Hour))
	short := func(o *edge.Options, h *edge.HTTPOptions) {
		o.IdleTimeout, h.IdleTimeout = 500*time.Millisecond, 500*time.Millisecond
	}
	f := func(what string, conn net.Conn) {
		t.Helper()
		began := time.Now()
		ask(t, conn, get, "/")
		if got, err := io.ReadAll(conn); err != nil || len(got) > 0 || time.Since(began) < 500*time.Millisecond {
			t.Errorf("%s: %q, %v after %v", what, got, err, time.Since(began))
		}
	}
	f("plain", serve(t, echo, func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) { parks(o, h, d); short(o, h) }).dial(t))
	secure, _ := serve(t, echo, func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) { parksTLS(files)(o, h, d); short(o, h) }).secure(t, trusting(pair))
	f("TLS", secure)
}

// At the limit a new connection evicts the one that was parked the longest.
func TestEviction(t *testing.T) {
	s := serve(t, echo, func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) { parks(o, h, d); o.MaxConnections = 3 })
	var conns []net.Conn
	for i := range 3 {
		conns = append(conns, s.dial(t))
		ask(t, conns[i], get, "/")
		s.parked(t, float64(i+1))
	}
	ask(t, conns[0], get, "/") // now the last one parked
	s.parked(t, 3)
	newer := s.dial(t)
	ask(t, newer, get, "/")
	if got, err := io.ReadAll(conns[1]); err != nil || len(got) > 0 {
		t.Errorf("the evicted connection: %q, %v", got, err)
	}
	for _, c := range []net.Conn{conns[0], conns[2], newer} {
		ask(t, c, get, "/")
	}
	if n := testutil.ToFloat64(s.metrics.Shed.WithLabelValues("evicted")); n != 1 {
		t.Errorf("%v evicted", n)
	}
}

// Unknown clients evict no connection, however many connect, and are soon disconnected. A client that is served evicts one.
func TestStrangersEvictNobody(t *testing.T) {
	t.Parallel()
	known := func(ctx *fasthttp.RequestCtx) {
		if echo(ctx); string(ctx.Path()) == "/stranger" {
			ctx.SetStatusCode(401)
		}
	}
	s := serve(t, known, func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) {
		parks(o, h, d)
		o.MaxConnections, o.ReadTimeout = 3, time.Second
	})
	var conns []net.Conn
	for i := range 3 {
		conns = append(conns, s.dial(t))
		ask(t, conns[i], get, "/")
		s.parked(t, float64(i+1))
	}
	for i := range 50 {
		stranger := s.dial(t)
		if i%2 == 0 {
			_, _ = io.WriteString(stranger, "GET /stranger HTTP/1.1\r\nHost: x\r\n\r\n") // fails if it was refused
		}
		defer func() {
			if _, err := io.ReadAll(stranger); edge.IsTimeout(err) {
				t.Error("an unknown client stays connected")
			}
		}()
	}
	servertest.Eventually(t, "the unknown clients are disconnected", func() bool { return s.state(t, "active")+s.state(t, "idle") == 0 })
	for _, c := range conns {
		ask(t, c, get, "/")
	}
	if n := testutil.ToFloat64(s.metrics.Shed.WithLabelValues("evicted")); n != 0 {
		t.Errorf("%v evicted", n)
	}
	s.parked(t, 3)
	servertest.Eventually(t, "a known client is served", func() bool {
		c := s.dial(t)
		_, _ = io.WriteString(c, get)
		line, err := bufio.NewReader(c).ReadString('\n')
		return err == nil && strings.Contains(line, " 200 ")
	})
}

// A drain closes parked connections at once.
func TestParkedDrain(t *testing.T) {
	files, pair := certificate(t, time.Now().Add(time.Hour))
	plain, secure := serve(t, echo, parks), serve(t, echo, parksTLS(files))
	a := plain.dial(t)
	b, _ := secure.secure(t, trusting(pair))
	for _, x := range []struct {
		*site
		conn net.Conn
	}{{plain, a}, {secure, b}} {
		ask(t, x.conn, get, "/")
		x.parked(t, 1)
		if err := x.stop(); err != nil {
			t.Error(err)
		}
		if got, err := io.ReadAll(x.conn); err != nil || len(got) > 0 {
			t.Errorf("%q, %v", got, err)
		}
		x.parked(t, 0)
	}
}

// replace overwrites files: each value of to with the content of its key.
func replace(t *testing.T, to map[string]string) {
	t.Helper()
	for from, to := range to {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate that is loaded while a connection is parked applies to new connections only.
func TestParkedReload(t *testing.T) {
	t.Parallel()
	files, pair := certificate(t, time.Now().Add(time.Hour))
	s := serve(t, echo, parksTLS(files))
	conn, _ := s.secure(t, trusting(pair))
	ask(t, conn, get, "/")
	s.parked(t, 1)
	newer, newPair := certificate(t, time.Now().Add(2*time.Hour))
	replace(t, map[string]string{newer.CertFile: files.CertFile, newer.KeyFile: files.KeyFile})
	servertest.Eventually(t, "the certificate is loaded", func() bool {
		c, err := tls.Dial("tcp", s.Addr().String(), trusting(newPair))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	ask(t, conn, get, "/")
	// The client may read the answer before the server has recorded the request's end.
	servertest.Eventually(t, "it is idle again", func() bool { return s.state(t, "active") == 0 })
}

// A parked connection keeps the client's address from the PROXY header.
func TestParkedProxyProtocol(t *testing.T) {
	s := serve(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(ctx.RemoteAddr().String()) },
		func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) { parks(o, h, d); o.Trusted = trustAll })
	conn := s.dial(t)
	ask(t, conn, proxyV2+get, "192.0.2.7:4242")
	s.parked(t, 1)
	ask(t, conn, get, "192.0.2.7:4242")
}
