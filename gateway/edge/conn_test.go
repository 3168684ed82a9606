package edge_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/servertest"
)

// site is a listener with an HTTP layer, which runs until the test ends.
type site struct {
	*edge.Listener
	metrics *edge.Metrics
	log     *syncBuffer
	stop    func() error // drains
}

// syncBuffer is a log buffer that is safe for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// serve serves handler; change alters the options.
func serve(t *testing.T, handler fasthttp.RequestHandler, change func(*edge.Options, *edge.HTTPOptions, *edge.Drain)) *site {
	t.Helper()
	s := &site{metrics: edge.NewMetrics(), log: new(syncBuffer)}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := edge.Options{
		Name: "listen", Address: "127.0.0.1:0", ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, WriteTimeout: 10 * time.Second,
		Refuse: edge.RefuseHTTP, Metrics: s.metrics, Log: log,
	}
	h := edge.HTTPOptions{
		Handler: func(ctx *fasthttp.RequestCtx) *edge.Route { handler(ctx); return nil },
		Route:   s.metrics.Route("none", log), Refusals: edge.Refusals{Log: log, Limit: new(edge.LogLimit)}, Panics: s.metrics.Panics,
		MaxRequestHeader: 4096, MaxBody: 1000, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute,
	}
	g := &edge.Group{Drain: edge.Drain{Timeout: 30 * time.Second}, Log: log}
	if change != nil {
		change(&o, &h, &g.Drain)
	}
	var err error
	if s.Listener, err = edge.Listen(o); err != nil {
		t.Fatal(err)
	}
	g.Add(edge.Member{Listener: s.Listener, Server: edge.NewHTTP(h)})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = s.stop() })
	return s
}

func (s *site) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// state returns the value of jobgate_connections.
func (s *site) state(t *testing.T, state string) (n float64) {
	t.Helper()
	return gather(t, s.metrics, "jobgate_connections", state)
}

func ok(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok") }

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func answer(t *testing.T, r *bufio.Reader) (status int, body string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// A client that sends the whole of a request that is too large always receives the answer, once.
func TestTooLargeArrives(t *testing.T) {
	s := serve(t, ok, nil)
	body := strings.Repeat("x", 4<<20)
	for range 20 {
		conn := s.dial(t)
		if _, err := conn.Write([]byte("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n" + body)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		if status, text := answer(t, r); status != http.StatusRequestEntityTooLarge || !strings.Contains(text, "limits.max_body") {
			t.Fatalf("%d %s", status, text)
		}
		if _, err := r.Peek(1); err == nil {
			t.Error("more bytes follow the answer")
		}
		_ = conn.Close()
	}
}

// A silent client gets no answer when the connection times out; a client that has sent half a request gets 408.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := serve(t, ok, func(o *edge.Options, h *edge.HTTPOptions, _ *edge.Drain) {
		o.ReadTimeout, h.ReadTimeout, h.IdleTimeout = time.Second, time.Second, 200*time.Millisecond
	})
	f := func(what, sent, want string) {
		t.Helper()
		conn := s.dial(t)
		_, _ = io.WriteString(conn, sent)
		if got, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(got), want) || want == "" && len(got) > 0 {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	f("nothing", "", "")
	f("half a header", "GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 ")
	f("half a body", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", "HTTP/1.1 408 ")
	f("half a chunked body", "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", "HTTP/1.1 408 ")

	conn := s.dial(t) // kept alive: it ends without a second answer
	_, _ = io.WriteString(conn, get)
	r := bufio.NewReader(conn)
	if status, _ := answer(t, r); status != 200 {
		t.Fatal(status)
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Errorf("an idle connection ended with %q, %v", rest, err)
	}
}

func TestConnectionStates(t *testing.T) {
	leave := make(chan struct{})
	s := serve(t, func(*fasthttp.RequestCtx) { <-leave }, nil)
	f := func(what string, fresh, active, idle float64) {
		t.Helper()
		servertest.Eventually(t, what, func() bool {
			return s.state(t, "fresh") == fresh && s.state(t, "active") == active && s.state(t, "idle") == idle
		})
	}
	silent, busy := s.dial(t), s.dial(t)
	f("two connected", 2, 0, 0)
	_, _ = io.WriteString(busy, get)
	f("one sends a request", 1, 1, 0)
	leave <- struct{}{}
	f("it was answered", 1, 0, 1)
	_, _ = io.WriteString(busy, get)
	f("it sends another", 1, 1, 0)
	_ = silent.Close()
	f("the silent one closed", 0, 1, 0)
	close(leave)
	_ = busy.Close()
	f("all closed", 0, 0, 0)
}

func TestConnectionLimit(t *testing.T) {
	s := serve(t, ok, func(o *edge.Options, _ *edge.HTTPOptions, _ *edge.Drain) { o.MaxConnections = 1 })
	first := s.dial(t)
	servertest.Eventually(t, "the first is accepted", func() bool { return s.state(t, "fresh") == 1 })
	for range 20 { // each gets the answer, although the connection is closed at once
		over := s.dial(t)
		_, _ = io.WriteString(over, get)
		if status, body := answer(t, bufio.NewReader(over)); status != 503 || !strings.Contains(body, "limits.max_connections") {
			t.Fatalf("over the limit: %d %s", status, body)
		}
	}
	if got := testutil.ToFloat64(s.metrics.Shed.WithLabelValues("connections")); got != 20 {
		t.Errorf("%v connections shed, want 20", got)
	}
	_ = first.Close()
	servertest.Eventually(t, "its place is free", func() bool {
		conn := s.dial(t)
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, get)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err == nil && res.StatusCode == 200
	})
}

// A drain disconnects clients that do not send or do not read, which is not a failure. A request whose handler hangs is one.
func TestDrainCutsOff(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	large := make([]byte, 64<<20) // more than fits in the sockets' buffers
	handler := func(ctx *fasthttp.RequestCtx) {
		switch string(ctx.Path()) {
		case "/large":
			ctx.Response.SetBodyRaw(large)
		case "/slow":
			entered <- struct{}{}
			<-leave
		}
	}
	drain := func(requests ...string) error {
		s := serve(t, handler, func(_ *edge.Options, _ *edge.HTTPOptions, d *edge.Drain) { d.Timeout = time.Second })
		for _, request := range requests {
			conn := s.dial(t)
			_, _ = io.WriteString(conn, request)
			if strings.Contains(request, "/large") { // its handler has returned
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		servertest.Eventually(t, "all are accepted", func() bool {
			return s.state(t, "fresh")+s.state(t, "active") >= float64(len(requests))
		})
		if len(requests) == 1 && strings.Contains(requests[0], "/slow") {
			<-entered
		}
		return s.stop()
	}
	if err := drain("", "GET / HT", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Errorf("with clients that hang: %v", err)
	}
	if err := drain("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); err == nil || !strings.Contains(err.Error(), "drain.timeout") {
		t.Errorf("with a handler that hangs: %v", err)
	}
	close(leave)
}

// If a client does not read its answer, the connection is closed. A client that reads slowly gets the whole answer.
func TestAnswerNeedsProgress(t *testing.T) {
	const size = 24 << 20
	s := serve(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBody(make([]byte, size)) }, func(o *edge.Options, _ *edge.HTTPOptions, _ *edge.Drain) {
		o.WriteTimeout = 300 * time.Millisecond
	})
	stuck := s.dial(t)
	_, _ = io.WriteString(stuck, get)
	servertest.Eventually(t, "the connection is closed", func() bool { return s.state(t, "active") == 0 && s.state(t, "fresh") == 0 })

	slow := s.dial(t)
	_, _ = io.WriteString(slow, get)
	n, began := 0, time.Now()
	for buf := make([]byte, 1<<20); n < size; {
		m, err := slow.Read(buf)
		if n += m; err != nil {
			t.Fatalf("after %d bytes and %v: %v", n, time.Since(began), err)
		}
		time.Sleep(5 * time.Millisecond) // a client on a slow line
	}
}

// A request that arrives more slowly than the least rate times out, although the server extends the deadline for each part.
func TestLeastRate(t *testing.T) {
	l, err := edge.Listen(edge.Options{Name: "listen", Address: "127.0.0.1:0", ReadTimeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := client.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond) // 20 bytes a second
		}
	}()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	edge.Of(conn).SetState(edge.Active)
	for buf := make([]byte, 1); err == nil; {
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, err = conn.Read(buf)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading ended with %v, want a time-out", err)
	}
	_ = conn.Close()
	<-ended
}

func TestPanicIsAnswered(t *testing.T) {
	s := serve(t, func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/panic" {
			panic("boom")
		}
	}, nil)
	conn := s.dial(t)
	r := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, "GET /panic?secret HTTP/1.1\r\nHost: x\r\n\r\n")
	if status, body := answer(t, r); status != 500 || !strings.Contains(body, "InternalFailure") || strings.Contains(body, "boom") {
		t.Errorf("%d %s", status, body)
	}
	_, _ = io.WriteString(conn, get)
	if status, _ := answer(t, r); status != 200 {
		t.Errorf("the next request: %d", status)
	}
	if testutil.ToFloat64(s.metrics.Panics) != 1 {
		t.Error("the panic is not counted")
	}
	servertest.Eventually(t, "both requests are logged", func() bool { return strings.Count(s.log.String(), "msg=request route=none") == 2 })
	log := s.log.String()
	if !strings.Contains(log, "boom") || !strings.Contains(log, "status=500") || !strings.Contains(log, "path=/panic") || strings.Contains(log, "secret") {
		t.Error(log)
	}
}

// proxyV2 is a PROXY protocol header for a client at 192.0.2.7:4242.
const proxyV2 = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + "\xc0\x00\x02\x07" + "\x7f\x00\x00\x01" + "\x10\x92" + "\x1f\x90"

func trustAll(netip.Addr) bool { return true }

func reader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	f := func(what string, trust func(netip.Addr) bool, sent, want string) {
		t.Helper()
		s := serve(t, func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(ctx.RemoteAddr().String()) },
			func(o *edge.Options, h *edge.HTTPOptions, _ *edge.Drain) {
				o.Trusted = trust
				if want == "" { // the server waits for the rest until the time-out
					o.ReadTimeout, h.ReadTimeout = 2*time.Second, 2*time.Second
				}
			})
		conn := s.dial(t)
		for i := range len(sent) { // one byte at a time
			_, _ = conn.Write([]byte{sent[i]})
		}
		got, _ := io.ReadAll(io.LimitReader(conn, 12))
		if want == "" || strings.HasPrefix(want, "HTTP") {
			if string(got) != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
			return
		}
		if _, body := answer(t, bufio.NewReader(io.MultiReader(bytes.NewReader(got), conn))); !strings.HasPrefix(body, want) {
			t.Errorf("%s: %q, want %q", what, body, want)
		}
	}
	const tlv = "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x11" + "\xc0\x00\x02\x07" + "\x7f\x00\x00\x01" + "\x10\x92" + "\x1f\x90" + "\x04\x00\x02ab"
	const v6 = "\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24" + "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\x10\x92" + "\x1f\x90"
	const local = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	f("a header", trustAll, proxyV2+get, "192.0.2.7:4242")
	f("with TLVs", trustAll, tlv+get, "192.0.2.7:4242")
	f("IPv6", trustAll, v6+get, "[2001:db8::1]:4242")
	f("a health check's header", trustAll, local+get, "127.0.0.1:")
	f("no header", trustAll, get, "127.0.0.1:")
	f("empty lines before a request", trustAll, "\r\n\r\n"+get, "127.0.0.1:")
	f("a header of an untrusted peer", nil, proxyV2+get, "HTTP/1.1 400")
	f("version 3", trustAll, strings.Replace(proxyV2, "\x21", "\x31", 1)+get, "")
	f("too short for its family", trustAll, "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x04\xc0\x00\x02\x07"+get, "")
	f("half a header", trustAll, proxyV2[:20], "")
}
