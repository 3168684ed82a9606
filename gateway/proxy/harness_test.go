package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/proxy"
	"jobgate/gateway/target"
)

var limits = proxy.Limits{
	UpstreamTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, MaxBody: 1 << 20, MaxDocument: 64 << 10, MaxHeld: 1 << 20,
}

// gate is a Proxy behind a real server, as in the gateway.
type gate struct {
	t       testing.TB
	address string
	request proxy.Request // of every request; Now and Target are set per request
	mu      sync.Mutex
	counted map[string]int
}

// newGate starts a Proxy to upstreams. change may alter its configuration and its requests.
func newGate(t testing.TB, change func(*proxy.Config, *proxy.Request), upstreams ...string) *gate {
	t.Helper()
	g := &gate{t: t, counted: map[string]int{}}
	c := proxy.Config{Upstreams: upstreams, Limits: limits, IdentityHeader: "X-Thing-Name"}
	c.Unfilled = func(reason proxy.Reason, passed bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.counted[reason.String()]++
		if passed {
			g.counted["passed"]++
		}
	}
	if change != nil {
		change(&c, &g.request)
	}
	p, err := proxy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	server := edge.NewHTTP(edge.HTTPOptions{
		Streaming: true, MaxRequestHeader: 4096, MaxBody: 1 << 20, ReadTimeout: 10 * time.Second,
		Handler: func(ctx *fasthttp.RequestCtx) *edge.Route {
			r := g.request
			r.Now = ctx.Time()
			var asked target.Target
			if asked.Parse(ctx.Request.Header.RequestURI()) != nil && !ctx.IsConnect() {
				ctx.SetStatusCode(400)
				return nil
			}
			r.Target = asked.Origin()
			if f := p.Serve(ctx, &r); f != nil {
				f.Write(ctx)
			}
			return nil
		},
	})
	ln := listen(t)
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() {
		_ = server.Shutdown(context.Background())
		p.Close()
	})
	g.address = ln.Addr().String()
	return g
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// answer is an answer whose body was read.
type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

// send sends raw unchanged on a new connection, and reads one answer.
func (g *gate) send(raw string) answer {
	g.t.Helper()
	a, err := exchange(g.address, raw)
	if err != nil {
		g.t.Fatalf("%.100q: %v", raw, err)
	}
	return a
}

func exchange(address, raw string) (answer, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, raw); err != nil {
		return answer{}, err
	}
	method, _, _ := strings.Cut(raw, " ")
	return readAnswer(bufio.NewReader(conn), method)
}

func readAnswer(r *bufio.Reader, method string) (answer, error) {
	response, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return answer{response, string(body), err}, nil
}

// upstream is a server that records the raw requests and sends a preset answer.
type upstream struct {
	url         string
	mu          sync.Mutex
	requests    []string
	connections atomic.Int64
	ended       atomic.Int64 // connections that were closed
	answer      atomic.Value // string
	close       atomic.Bool  // close the connection after each answer
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	ln := listen(t)
	u := &upstream{url: "http://" + ln.Addr().String()}
	u.answer.Store(ok)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			u.connections.Add(1)
			t.Cleanup(func() { _ = conn.Close() })
			go u.serve(conn)
		}
	}()
	return u
}

func (u *upstream) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		u.ended.Add(1)
	}()
	var raw bytes.Buffer
	r := bufio.NewReader(io.TeeReader(conn, &raw))
	for {
		request, err := http.ReadRequest(r)
		if err == nil {
			_, err = io.Copy(io.Discard, request.Body)
		}
		if err != nil && raw.Len() == 0 {
			return
		}
		u.mu.Lock()
		u.requests = append(u.requests, raw.String())
		u.mu.Unlock()
		raw.Reset()
		if err != nil {
			return
		}
		if _, err = io.WriteString(conn, u.answer.Load().(string)); err != nil || u.close.Load() {
			return
		}
	}
}

// takeAll returns the requests so far, and clears the list.
func (u *upstream) takeAll() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.requests
	u.requests = nil
	return all
}

// only returns the only request so far, and clears the list.
func (u *upstream) only(t testing.TB) string {
	t.Helper()
	all := u.takeAll()
	if len(all) != 1 {
		t.Fatalf("the upstream saw %d requests, want 1: %q", len(all), all)
	}
	return all[0]
}

// fields returns the header lines of a raw request, as "Name: value".
func fields(raw string) []string {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	return strings.Split(head, "\r\n")[1:]
}

// marking is a Filler that marks a document FILLED and replaces the beginning of its placeholders.
type marking struct{}

func (marking) Fill(dst, document []byte) ([]byte, *edge.Fault) {
	return append(append(dst, "FILLED "...), bytes.ReplaceAll(document, []byte("${aws:iot:"), []byte("<"))...), nil
}
