package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/servertest"
)

func post(method, header, body string) string {
	return fmt.Sprintf("%s /x HTTP/1.1\r\nHost: gate\r\n%sContent-Length: %d\r\n\r\n%s", method, header, len(body), body)
}

// TestIdleConnectionEnds checks that a connection that the upstream closed while idle is not used, whatever the method.
func TestIdleConnectionEnds(t *testing.T) {
	u := newUpstream(t)
	u.close.Store(true) // without Connection: close in its answers
	g := newGate(t, nil, u.url)
	for i := range 50 {
		for _, method := range []string{"POST", "PATCH", "GET", "PUT"} {
			if a := g.send(post(method, "", "{}")); a.StatusCode != 200 {
				t.Fatalf("%s %d: %d %s", method, i, a.StatusCode, a.body)
			}
			for u.ended.Load() < u.connections.Load() {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
}

// TestConnectionsAreKept checks that a device's Connection header and HTTP version do not affect upstream connections.
func TestConnectionsAreKept(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, nil, u.url)
	for _, header := range []string{"", "Connection: close\r\n", "Connection: keep-alive, X-A\r\n", "Connection: X-A, close\r\n"} {
		for _, version := range []string{"1.1", "1.0"} {
			raw := strings.Replace(post("POST", header, "{}"), "HTTP/1.1", "HTTP/"+version, 1)
			for range 3 {
				if a := g.send(raw); a.StatusCode != 200 {
					t.Fatalf("%q: %d", raw, a.StatusCode)
				}
			}
		}
	}
	if n := u.connections.Load(); n != 1 {
		t.Errorf("%d connections to the upstream, want 1", n)
	}
}

// TestConnectionsThatEnd checks that a connection is not reused after an answer that closes it, has no length, or is
// followed by unsolicited bytes.
func TestConnectionsThatEnd(t *testing.T) {
	u := newUpstream(t)
	f := func(answer string, closes bool) {
		t.Helper()
		u.answer.Store(answer)
		u.close.Store(closes)
		g := newGate(t, nil, u.url)
		before := u.connections.Load()
		for range 3 {
			if a := g.send("GET / HTTP/1.1\r\nHost: gate\r\n\r\n"); a.StatusCode != 200 || a.body != "ok" {
				t.Fatalf("%q: %d %q", answer, a.StatusCode, a.body)
			}
		}
		if n := u.connections.Load() - before; n != 3 {
			t.Errorf("%q: %d connections for 3 requests, want 3", answer, n)
		}
	}
	f("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false)
	f("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false)
	f("HTTP/1.1 200 OK\r\n\r\nok", true)
	f(ok+"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", false)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n", false)
}

// TestKeepAliveTimeout checks that a connection is not used shortly before the time at which the upstream announced to
// close it.
func TestKeepAliveTimeout(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	u.answer.Store("HTTP/1.1 200 OK\r\nKeep-Alive: max=100, timeout=1\r\nContent-Length: 2\r\n\r\nok")
	g := newGate(t, nil, u.url)
	for _, wait := range []time.Duration{0, 600 * time.Millisecond} {
		time.Sleep(wait)
		before := u.connections.Load()
		if a := g.send(post("POST", "", "{}")); a.StatusCode != 200 || a.Header.Get("Keep-Alive") != "" {
			t.Fatalf("%d %v", a.StatusCode, a.Header)
		}
		if u.connections.Load() == before {
			t.Errorf("after %v the old connection was used", wait)
		}
	}
}

// TestRetry checks that a request whose connection ends before the answer is sent again if its method is idempotent
// (RFC 9110 §9.2.2).
func TestRetry(t *testing.T) {
	var requests atomic.Int64
	address := servertest.Serve(t, func(conn net.Conn) { // answers the second request of each kind
		r, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		body, _ := io.ReadAll(r.Body)
		if requests.Add(1) > 1 {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		}
	})
	g := newGate(t, nil, "http://"+address)
	f := func(method, body string, status int, times int64) {
		t.Helper()
		requests.Store(0)
		a := g.send(post(method, "", body))
		if a.StatusCode != status || status == 200 && method != "HEAD" && a.body != body || requests.Load() != times {
			t.Errorf("%s with %d bytes: %d %.100q after %d requests, want %d after %d", method, len(body), a.StatusCode, a.body, requests.Load(), status, times)
		}
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"} {
		f(method, "", 200, 2)
		f(method, "body", 200, 2)
		f(method, strings.Repeat("body", 10_000), 200, 2)
	}
	f("PUT", strings.Repeat("body", 100_000), 502, 1) // larger than maxReplay
	for _, method := range []string{"POST", "PATCH", "PROPFIND"} {
		f(method, "body", 502, 1)
	}
}

// TestNothingWritten checks that any request is sent to the next upstream if the connection to the first one fails.
func TestNothingWritten(t *testing.T) {
	u := newUpstream(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	g := newGate(t, nil, "http://"+dead.Addr().String(), u.url)
	for range 4 {
		if a := g.send(post("POST", "", strings.Repeat("x", 200_000))); a.StatusCode != 200 {
			t.Errorf("%d %s", a.StatusCode, a.body)
		}
	}
}
