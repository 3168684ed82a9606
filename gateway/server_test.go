package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway"
	"jobgate/gateway/desynctest"
)

// runServer serves g's Handler on real listeners until the test ends or stop is called. stop returns Run's error.
func runServer(t *testing.T, g *testGateway, change func(*gateway.ServerConfig)) (s *gateway.Server, stop func() error) {
	t.Helper()
	c := gateway.ServerConfig{
		Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Limits: defaultLimits, DrainLimit: 5 * time.Second, Streaming: true,
		Reload: func(context.Context) error { return fmt.Errorf("jobgate.yaml:3:1: rotes: unknown key") },
		Dump:   func() []byte { return []byte("listen: x\n") }, Metrics: g.metrics, Log: slog.New(slog.NewTextHandler(g.log, nil)),
	}
	if change != nil {
		change(&c)
	}
	s, err := gateway.NewServer(c, g.handler)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return s, stop
}

func dial(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	s, _ := runServer(t, g, func(c *gateway.ServerConfig) { c.Limits.ReadTimeout = 2 * time.Second })
	f := func(request string, status int, code string) {
		t.Helper()
		conn := dial(t, s.Addr("listen"))
		_, _ = io.WriteString(conn, request)
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%.60q: %v", request, err)
		}
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != status || !strings.Contains(string(body), `"code":"`+code+`"`) || r.Header.Get("X-Amzn-Errortype") != code+"Exception" {
			t.Errorf("%.60q: got %d %s, want %d %s", request, r.StatusCode, body, status, code)
		}
	}
	f("garbage\r\n\r\n", 400, "InvalidRequest")
	f("GET / HTTP/1.1\r\n\r\n", 400, "InvalidRequest") // no Host
	f("GET /"+strings.Repeat("x", 9000)+" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "RequestHeaderFieldsTooLarge")
	f("GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 9000)+"\r\n\r\n", 431, "RequestHeaderFieldsTooLarge")
	f("GET / HTTP/1.1\r\nHost: x\r\nX-Half", 408, "RequestTimeout")
	if strings.Contains(g.log.String(), "X-Half") || strings.Contains(g.log.String(), "garbage") {
		t.Error("the log contains bytes of a malformed request")
	}
}

// TestTooLarge checks that the client receives the 413 for a body that is too large, also after a pipelined request.
func TestTooLarge(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(echo))
	defer backend.Close()
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		withUpstream(backend.URL)(c, g)
		c.Sidecar = &gateway.Sidecar{TCP: true, Roles: []string{""}, DefaultExpires: 15 * time.Minute}
	})
	s, _ := runServer(t, g, func(c *gateway.ServerConfig) { c.Sidecar = "127.0.0.1:0" })
	f := func(listener, path string, before bool) {
		t.Helper()
		conn := dial(t, s.Addr(listener))
		defer func() { _ = conn.Close() }()
		request := "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
		all := request + "4000000\r\n\r\n" + strings.Repeat("x", 4000000)
		if before {
			all = request + "2\r\n\r\n{}" + all
		}
		if _, err := io.WriteString(conn, all); err != nil {
			t.Errorf("%s: cannot send: %v", listener, err)
			return
		}
		r := bufio.NewReader(conn)
		if before {
			first, err := http.ReadResponse(r, nil)
			if err != nil || first.StatusCode == 413 {
				t.Errorf("%s: the first request: got %v, %v", listener, first, err)
				return
			}
			_, _ = io.Copy(io.Discard, first.Body)
		}
		if last, err := http.ReadResponse(r, nil); err != nil || last.StatusCode != 413 {
			t.Errorf("%s: got %v, %v, want 413", listener, last, err)
		}
	}
	for range 3 {
		f("listen", "/x", false)
		f("listen", "/x", true)
		f("sidecar", "/render", false)
		f("sidecar", "/render", true)
	}
}

func TestSidecarServerLimitsBodies(t *testing.T) {
	g := newSidecar(t, nil)
	s, _ := runServer(t, g, func(c *gateway.ServerConfig) { c.Sidecar = "127.0.0.1:0" })
	conn := dial(t, s.Addr("sidecar"))
	r := roundTrip(t, conn, "POST", "/render", strings.Repeat(" ", 1<<20+1), "Host: localhost", jsonType)
	if r.StatusCode != 413 || !strings.Contains(r.body, "limits.max_body") {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
}

// TestNoBodies checks that limits.max_body may be 0.
func TestNoBodies(t *testing.T) {
	g := newGateway(t, func(c *gateway.Config, _ *testGateway) { c.Limits.MaxBody = 0 })
	g.write("v7.json", "{}")
	s, _ := runServer(t, g, func(c *gateway.ServerConfig) { c.Limits.MaxBody, c.Streaming = 0, false })
	const path = "/things/t1/jobs/v7/document"
	if r := roundTrip(t, dial(t, s.Addr("listen")), "GET", path, "", jsonType); r.StatusCode != 200 {
		t.Errorf("without a body: %d %s", r.StatusCode, r.body)
	}
	if r := roundTrip(t, dial(t, s.Addr("listen")), "GET", path, strings.Repeat("x", 1000), jsonType); r.StatusCode != 413 {
		t.Errorf("with a body: %d %s", r.StatusCode, r.body)
	}
}

func TestSidecarOnUnixSocket(t *testing.T) {
	g := newSidecar(t, func(c *gateway.Config) { c.Sidecar.TCP = false })
	path := filepath.Join(t.TempDir(), "jobgate.sock")
	s, stop := runServer(t, g, func(c *gateway.ServerConfig) { c.Sidecar = "unix://" + path })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	if r := roundTrip(t, dial(t, s.Addr("sidecar")), "POST", "/render", `{"a":1}`, jsonType); r.body != `{"a":1}` {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	// A dead process's socket is replaced.
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close()
	runServer(t, g, func(c *gateway.ServerConfig) { c.Sidecar = "unix://" + path })
}

func TestConnectionLimit(t *testing.T) {
	g := newGateway(t, nil)
	g.write("j1.json", hot)
	s, _ := runServer(t, g, func(c *gateway.ServerConfig) { c.Limits.MaxConnections = 2 })
	held := []net.Conn{dial(t, s.Addr("listen")), dial(t, s.Addr("listen"))}
	for _, conn := range held {
		if _, err := io.WriteString(conn, "GET /things/t/jobs/j1/document HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if r, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || r.StatusCode != 200 {
			t.Fatal(r, err)
		}
	}
	for range 20 { // each gets the answer, although the connection is closed at once
		over := roundTrip(t, dial(t, s.Addr("listen")), "GET", "/things/t/jobs/j1/document", "")
		if over.StatusCode != 503 || over.Header.Get("Retry-After") == "" || over.Header.Get("X-Amzn-RequestId") == "" {
			t.Fatalf("over the limit: %v", over)
		}
	}
	_ = held[0].Close()
	deadline := time.Now().Add(5 * time.Second)
	for {
		r := roundTrip(t, dial(t, s.Addr("listen")), "GET", "/things/t/jobs/j1/document", "")
		if r.StatusCode == 200 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a connection was closed, a new one is still rejected: %d", r.StatusCode)
		}
	}
}

func TestInFlightLimit(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	backend := newSlowBackend(t, entered, leave)
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		withUpstream(backend)(c, g)
		c.Limits.MaxInFlight = 1
	})
	done := make(chan response)
	go func() { done <- g.get("/slow") }()
	<-entered
	r := g.get("/things/t/jobs/j1/document")
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" || !strings.Contains(r.body, "in flight") {
		t.Errorf("over the limit: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	close(leave)
	if r := <-done; r.StatusCode != 200 {
		t.Errorf("the request in flight: %d", r.StatusCode)
	}
}

// newSlowBackend starts an upstream that sends to entered for each request, and answers after receiving from leave.
func newSlowBackend(t *testing.T, entered chan<- struct{}, leave <-chan struct{}) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
		_, _ = io.WriteString(w, "done")
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + ln.Addr().String()
}

func TestAdmin(t *testing.T) {
	g := newGateway(t, nil)
	s, _ := runServer(t, g, nil)
	base := "http://" + s.Addr("admin").String()
	f := func(method, path string, status int, want string) {
		t.Helper()
		request, _ := http.NewRequestWithContext(t.Context(), method, base+path, nil)
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		body, _ := io.ReadAll(r.Body)
		if r.StatusCode != status || !strings.Contains(string(body), want) {
			t.Errorf("%s %s: got %d %.200s, want %d with %q", method, path, r.StatusCode, body, status, want)
		}
	}
	f("GET", "/healthz", 200, "ok")
	f("GET", "/readyz", 200, `"ready":true`)
	f("GET", "/metrics", 200, "jobgate_build_info")
	f("GET", "/config", 200, "listen: x")
	f("GET", "/debug/pprof/cmdline", 200, "")
	f("POST", "/-/reload", 400, "rotes: unknown key")
	f("GET", "/-/reload", 405, "")
	rebound, _ := http.NewRequestWithContext(t.Context(), "GET", base+"/config", nil)
	rebound.Host = "attacker.example"
	if r, err := http.DefaultClient.Do(rebound); err != nil || r.StatusCode != 403 {
		t.Errorf("a rebound Host name: %v, %v", r, err)
	}
}

// TestDrain stops the server under load. No request may fail, /readyz must change to 503 first, and Run must return nil.
func TestDrain(t *testing.T) {
	g := newGateway(t, nil)
	g.write("j1.json", hot)
	s, stop := runServer(t, g, func(c *gateway.ServerConfig) { c.DrainDelay = 300 * time.Millisecond })
	var answered, broken atomic.Int64
	var devices sync.WaitGroup
	for range 20 {
		devices.Go(func() {
			conn := dial(t, s.Addr("listen"))
			reader := bufio.NewReader(conn)
			for {
				if _, err := io.WriteString(conn, "GET /things/t/jobs/j1/document HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					return // closed between two requests
				}
				r, err := http.ReadResponse(reader, nil)
				if err == nil {
					_, err = io.Copy(io.Discard, r.Body)
				}
				if err != nil {
					broken.Add(1)
					return
				}
				answered.Add(1)
				if r.Close {
					return
				}
			}
		})
	}
	for answered.Load() == 0 && broken.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	sawDraining := false
	for range 100 {
		r, err := http.Get("http://" + s.Addr("admin").String() + "/readyz")
		if err != nil {
			break
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if r.StatusCode == 503 && strings.Contains(string(body), `"draining":true`) {
			sawDraining = true
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	devices.Wait()
	if err := <-ended; err != nil {
		t.Errorf("the drain: %v", err)
	}
	if !sawDraining || broken.Load() != 0 || answered.Load() == 0 {
		t.Errorf("draining seen %v, %d requests failed, %d answered", sawDraining, broken.Load(), answered.Load())
	}
}

// TestDesync sends the requests that http-desync-guardian classifies as severe, which is request smuggling. None may be
// answered with success.
func TestDesync(t *testing.T) {
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		c.Routes = append(c.Routes, gateway.Route{Path: "/foo/bar", Document: "file://" + g.folder + "/foo.json", Expires: time.Hour})
	})
	g.write("foo.json", "{}")
	s, _ := runServer(t, g, func(c *gateway.ServerConfig) { c.Limits.ReadTimeout = 200 * time.Millisecond })
	for _, c := range desynctest.Cases(t, "testdata") {
		if !c.Severe() {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, s.Addr("listen"))
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			_, _ = io.WriteString(conn, c.Head()+"\r\n0\r\n\r\nGET /foo/bar HTTP/1.1\r\nHost: x\r\n\r\n")
			answers, _ := io.ReadAll(conn)
			if strings.Contains(string(answers), "HTTP/1.1 2") {
				t.Errorf("answered with success:\n%s\n%s", c.Head(), answers)
			}
		})
	}
}

func TestPanicIsAnswered(t *testing.T) {
	g := newGateway(t, func(c *gateway.Config, _ *testGateway) { c.Jobs = panicking{} })
	r := g.get("/things/t/jobs")
	var e struct{ Code string }
	if err := json.Unmarshal([]byte(r.body), &e); err != nil || r.StatusCode != 500 || e.Code != "InternalFailure" || strings.Contains(r.body, "boom") {
		t.Errorf("got %d %s, %v", r.StatusCode, r.body, err)
	}
	if !strings.Contains(g.log.String(), "boom") {
		t.Error("the log does not have the cause")
	}
	if r := g.get("/elsewhere"); r.StatusCode != 404 {
		t.Errorf("the next request: %d", r.StatusCode)
	}
}
