package proxy_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"jobgate/gateway/proxy"
	"jobgate/gateway/servertest"
)

// TestForwarded checks which headers are forwarded, which are dropped, and which the gateway adds.
func TestForwarded(t *testing.T) {
	u := newUpstream(t)
	f := func(name string, r proxy.Request, header string, want ...string) {
		t.Helper()
		g := newGate(t, func(_ *proxy.Config, request *proxy.Request) { *request = r }, u.url)
		if a := g.send("GET /x HTTP/1.1\r\nHost: gate\r\n" + header + "\r\n"); a.StatusCode != 200 {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
			return
		}
		got := fields(u.only(t))
		want = append(want, "Host: "+strings.TrimPrefix(u.url, "http://"))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got, want)
		}
	}
	own := func(more ...string) []string {
		return append(more, "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: http", "X-Forwarded-Host: gate")
	}
	device, trusted := proxy.Request{Identity: []byte("t1")}, proxy.Request{Identity: []byte("t1"), Trusted: true}
	named := "X-Thing-Name: t1"

	f("no headers", proxy.Request{}, "", own()...)
	f("an authenticated device", device, "", own(named)...)
	f("a device that sends the identity header", device, "X-Thing-Name: victim\r\nx-thing-name: victim\r\n", own(named)...)
	f("an unauthenticated device that sends the identity header", proxy.Request{}, "X-Thing-Name: victim\r\n", own()...)
	for _, twin := range []string{"X_Thing_Name", "x_thing-name", "X-Thing_Name", "X_Forwarded_For", "X-Forwarded_Host", "X_FORWARDED_PROTO", "Content_Length", "Transfer_Encoding", "Proxy_Authorization"} {
		f(twin, device, twin+": victim\r\n", own(named)...)
		f(twin+" from a trusted peer", trusted, twin+": victim\r\n", own(named)...)
	}
	f("other underscores", device, "X_Other: 1\r\nX_Thing_Names: 2\r\n", own(named, "X_other: 1", "X_thing_names: 2")...)

	f("hop-by-hop headers", device, "Te: trailers\r\nUpgrade: websocket\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nProxy-Connection: close\r\nTrailer: X-T\r\n", own(named)...)
	f("listed in Connection", device, "Connection: X-A, close\r\nX-A: 1\r\nX-B: 2\r\n", own(named, "X-B: 2")...)
	f("listed in two Connection lines", device, "Connection: X-A\r\nConnection: keep-alive, x-b\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\n", own(named, "X-C: 3")...)
	f("the gateway's own headers listed in Connection", device, "Connection: X-Thing-Name, X-Forwarded-For, Host\r\n", own(named)...)

	f("forwarding headers of an untrusted peer", device, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\nForwarded: for=6.6.6.6\r\n", own(named)...)
	f("forwarding headers of a trusted peer", trusted, "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\nForwarded: for=6.6.6.6\r\n",
		named, "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 127.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: h", "Forwarded: for=6.6.6.6")

	f("cookies", device, "Cookie: b=2;a; c=\"x y\"\r\nCookie: d\r\n", own(named, `Cookie: b=2;a; c="x y"`, "Cookie: d")...)
	f("conditions", device, "If-None-Match: \"x\"\r\nRange: bytes=0-1\r\nAccept-Encoding: br\r\n", own(named, `If-None-Match: "x"`, "Range: bytes=0-1", "Accept-Encoding: br")...)
	filled := device
	filled.Fill = marking{}
	f("conditions on a fill route", filled, "If-None-Match: \"x\"\r\nRange: bytes=0-1\r\nAccept-Encoding: br\r\nAccept_Encoding: br\r\nIf_Range: x\r\n", own(named)...)
}

// TestFirstLine checks that the request line has the device's target in origin form, and the gateway's version.
func TestFirstLine(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, nil, u.url)
	f := func(line, want string) {
		t.Helper()
		a := g.send(line + "\r\nHost: gate\r\nConnection: close\r\n\r\n")
		if want == "" {
			if all := u.takeAll(); a.StatusCode != 400 && a.StatusCode != 405 || len(all) > 0 {
				t.Errorf("%s: %d, the upstream saw %q", line, a.StatusCode, all)
			}
			return
		}
		if a.StatusCode != 200 {
			t.Fatalf("%s: %d %s", line, a.StatusCode, a.body)
		}
		if got, _, _ := strings.Cut(u.only(t), "\r\n"); got != want {
			t.Errorf("%s: the upstream saw %q, want %q", line, got, want)
		}
	}
	f("GET / HTTP/1.1", "GET / HTTP/1.1")
	f("GET / HTTP/1.7", "GET / HTTP/1.1")
	f("GET / HTTP/1.0", "GET / HTTP/1.1")
	f("GET /a%2Fb/../c//d?x=%20&y HTTP/1.1", "GET /a%2Fb/../c//d?x=%20&y HTTP/1.1")
	f("GET http://other/a?b HTTP/1.1", "GET /a?b HTTP/1.1")
	f("GET http://other HTTP/1.1", "GET / HTTP/1.1")
	f("GET http://other?b HTTP/1.1", "GET /?b HTTP/1.1")
	f("PURGE /x HTTP/1.1", "PURGE /x HTTP/1.1")
	f("GET /x#y HTTP/1.1", "")
	f("OPTIONS * HTTP/1.1", "")
	f("TRACE /x HTTP/1.1", "")
	f("CONNECT h:1 HTTP/1.1", "")
}

// TestSpacesInNames checks that header names with a space (RFC 9112 §5.1) are rejected in requests and answers.
func TestSpacesInNames(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, nil, u.url)
	for _, line := range []string{"Transfer Encoding: chunked", "Content-Length x: 5", "X-Thing-Name : victim", " X-A: 1", "X A: 1"} {
		if a := g.send("GET / HTTP/1.1\r\nHost: gate\r\n" + line + "\r\n\r\n"); a.StatusCode != 400 {
			t.Errorf("from a device, %q: %d", line, a.StatusCode)
		}
		if all := u.takeAll(); len(all) > 0 {
			t.Errorf("from a device, %q: the upstream saw %q", line, all)
		}
	}
	for _, line := range []string{"Transfer Encoding: chunked", "Content-Length x: 5", "X A: 1"} {
		u.answer.Store("HTTP/1.1 200 OK\r\n" + line + "\r\nContent-Length: 2\r\n\r\nok")
		if a := g.send("GET / HTTP/1.1\r\nHost: gate\r\n\r\n"); a.StatusCode != 502 || a.body == "ok" {
			t.Errorf("from an upstream, %q: %d %s", line, a.StatusCode, a.body)
		}
	}
}

// TestBodies checks that a request's body arrives unchanged, in the gateway's framing.
func TestBodies(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, nil, u.url)
	f := func(method, header, body, wantHeader, wantBody string) {
		t.Helper()
		if a := g.send(method + " /x HTTP/1.1\r\nHost: gate\r\n" + header + "\r\n" + body); a.StatusCode != 200 {
			t.Fatalf("%s %q: %d %s", method, header, a.StatusCode, a.body)
		}
		raw := u.only(t)
		framing := slices.DeleteFunc(fields(raw), func(line string) bool {
			return !strings.HasPrefix(line, "Content-Length") && !strings.HasPrefix(line, "Transfer-Encoding")
		})
		_, got, _ := strings.Cut(raw, "\r\n\r\n")
		if strings.Join(framing, " ") != wantHeader || got != wantBody {
			t.Errorf("%s %q: the upstream saw %q %.100q, want %q %.100q", method, header, framing, got, wantHeader, wantBody)
		}
	}
	f("GET", "", "", "", "")
	f("DELETE", "", "", "", "")
	f("POST", "", "", "Content-Length: 0", "")
	f("PUT", "Content-Length: 0\r\n", "", "Content-Length: 0", "")
	f("GET", "Content-Length: 5\r\n", "hello", "Content-Length: 5", "hello")
	f("POST", "Content-Length: 5\r\n", "hello", "Content-Length: 5", "hello")
	f("POST", "Transfer-Encoding: chunked\r\n", "5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n", "Transfer-Encoding: chunked", "0005\r\nhello\r\n0001\r\n!\r\n0\r\n\r\n")
	f("POST", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n", "Transfer-Encoding: chunked", "0\r\n\r\n")
	f("POST", "Transfer-Encoding: chunked\r\nContent-Length: 9\r\n", "1\r\n!\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "0001\r\n!\r\n0\r\n\r\n")
	large := strings.Repeat("0123456789abcdef", 50_000)
	f("PUT", fmt.Sprintf("Content-Length: %d\r\n", len(large)), large, fmt.Sprintf("Content-Length: %d", len(large)), large)
}

// TestBrokenBodies checks that a device's malformed body is answered 400, and never looks complete to the upstream.
func TestBrokenBodies(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, nil, u.url)
	for _, body := range []string{"5\r\nhelloA0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "x\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5 6\r\nhello\r\n0\r\n\r\n"} {
		if a := g.send("POST /x HTTP/1.1\r\nHost: gate\r\nTransfer-Encoding: chunked\r\n\r\n" + body); a.StatusCode != 400 {
			t.Errorf("%q: %d", body, a.StatusCode)
		}
		for _, raw := range u.takeAll() {
			if strings.HasSuffix(raw, "0\r\n\r\n") {
				t.Errorf("%q: the upstream saw a complete request: %q", body, raw)
			}
		}
	}
}

// TestEarlyAnswer checks that the answer of an upstream that rejects a body before it has read it, and closes, is forwarded.
func TestEarlyAnswer(t *testing.T) {
	address := servertest.Serve(t, func(conn net.Conn) { // closing with unread bytes resets the gateway's connection
		_, _ = conn.Read(make([]byte, 1000))
		_, _ = conn.Write([]byte("HTTP/1.1 413 Too Much\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!"))
	})
	g := newGate(t, nil, "http://"+address)
	for range 50 {
		a := g.send("POST /x HTTP/1.1\r\nHost: gate\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000))
		if a.StatusCode != 413 || a.body != "no!" {
			t.Fatalf("got %d %s, want 413 no!", a.StatusCode, a.body)
		}
	}
}
