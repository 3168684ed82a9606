package proxy_test

import (
	"strings"
	"testing"
)

// TestAnswers checks that an upstream's answer arrives unchanged, in the gateway's framing.
func TestAnswers(t *testing.T) {
	u := newUpstream(t)
	g := newGate(t, nil, u.url)
	f := func(raw string, status int, body string, header ...string) {
		t.Helper()
		u.answer.Store(raw)
		u.close.Store(!strings.Contains(raw, "Content-Length") && !strings.Contains(raw, "chunked"))
		a := g.send("GET / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n")
		if a.StatusCode != status || a.body != body || a.err != nil {
			t.Errorf("%.100q: %d %.100q %v", raw, a.StatusCode, a.body, a.err)
		}
		for _, line := range header {
			name, want, _ := strings.Cut(line, ": ")
			if got := strings.Join(a.Header.Values(name), "|"); got != want {
				t.Errorf("%.100q: %s is %q, want %q", raw, name, got, want)
			}
		}
	}
	f("HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", 204, "", "X-A: 1")
	f("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", "Content-Length: 0")
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "")
	f("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"+ok, 200, "ok", "Link: ")
	f("HTTP/1.1 200 OK\r\nConnection: X-A\r\nConnection: x-b\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3\r\nTrailer: X-T\r\nContent-Length: 2\r\n\r\nok", 200, "ok", "X-A: ", "X-B: ", "X-C: 3", "Trailer: ")
	f("HTTP/1.1 200 OK\r\nContent-Length : 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok", 200, "ok", "Set-Cookie: a=1|b=2")
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 ;x\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n", 200, "hello!")
	f("HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end")
	f("HTTP/1.1 200 OK\r\n\r\n", 200, "")
	large := strings.Repeat("0123456789abcdef", 10_000)
	f("HTTP/1.1 200 OK\r\nContent-Length: 160000\r\n\r\n"+large, 200, large)
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n27100\r\n"+large+"\r\n0\r\n\r\n", 200, large)
}

// TestInvalidAnswers checks that an answer that is invalid, or ends before any of it was forwarded, becomes 502.
func TestInvalidAnswers(t *testing.T) {
	u := newUpstream(t)
	u.close.Store(true)
	g := newGate(t, nil, u.url)
	for _, raw := range []string{
		"", "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nX-A: 1\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nsome",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloA0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx",
		"HTTP/1.1 200 OK\r\nX-Large: " + strings.Repeat("x", 20_000) + "\r\n\r\n",
		strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100) + ok,
	} {
		u.answer.Store(raw)
		if a := g.send("GET / HTTP/1.1\r\nHost: gate\r\n\r\n"); a.StatusCode != 502 || a.err != nil || !strings.Contains(a.body, "BadGateway") {
			t.Errorf("%.100q: %d %.100q %v, want 502 BadGateway", raw, a.StatusCode, a.body, a.err)
		}
	}
}

// TestCutLater checks that the device detects an answer that ends early, after its beginning was forwarded.
func TestCutLater(t *testing.T) {
	u := newUpstream(t)
	u.close.Store(true)
	g := newGate(t, nil, u.url)
	large := strings.Repeat("x", 100_000)
	for _, raw := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + large,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhelloA0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n186A0\r\n" + large + "A0\r\n\r\n",
	} {
		u.answer.Store(raw)
		if a := g.send("GET / HTTP/1.1\r\nHost: gate\r\n\r\n"); a.StatusCode != 200 || a.err == nil {
			t.Errorf("%.100q: %d, %d bytes, %v; want 200 and an error", raw, a.StatusCode, len(a.body), a.err)
		}
	}
}
