package gateway_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"jobgate/gateway"
)

// scriptedUpstream answers every request with what answer holds, byte for byte, and closes.
func scriptedUpstream(t *testing.T) (url string, answer *atomic.Value) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	answer = new(atomic.Value)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer.Load().(string))
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String(), answer
}

const placeholder = `{"u":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/a}"}`

// TestFillWithoutBody: an answer that cannot have a body passes, whatever its Content-Type says.
func TestFillWithoutBody(t *testing.T) {
	upstream, answer := scriptedUpstream(t)
	g := newGateway(t, withUpstream(upstream))
	answer.Store("HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\nX-Kept: yes\r\n\r\n")
	if r := g.get("/api/t1/job"); r.StatusCode != 204 || r.Header.Get("X-Kept") != "yes" {
		t.Errorf("got %d %v %s", r.StatusCode, r.Header, r.body)
	}
	answer.Store("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n")
	if r := g.get("/api/t1/job"); r.StatusCode != 200 || r.body != "" {
		t.Errorf("got %d %v %s", r.StatusCode, r.Header, r.body)
	}
}

// TestFillHead: HEAD says nothing of the length and version of what GET would have to fill.
func TestFillHead(t *testing.T) {
	upstream, answer := scriptedUpstream(t)
	g := newGateway(t, withUpstream(upstream))
	answer.Store("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 81\r\nETag: \"unfilled\"\r\nX-Kept: yes\r\n\r\n")
	r := g.do("HEAD", "/api/t1/job", "")
	if r.StatusCode != 200 || r.ContentLength >= 0 || r.Header.Get("Etag") != "" || r.Header.Get("X-Kept") != "yes" {
		t.Errorf("a fill route: %d %v, length %d", r.StatusCode, r.Header, r.ContentLength)
	}
	r = g.do("HEAD", "/other", "")
	if r.StatusCode != 200 || r.ContentLength != 81 || r.Header.Get("Etag") == "" {
		t.Errorf("elsewhere: %d %v, length %d", r.StatusCode, r.Header, r.ContentLength)
	}
}

// TestFillErrorIsOurs: an error in the place of the upstream's answer has none of its headers.
func TestFillErrorIsOurs(t *testing.T) {
	upstream, answer := scriptedUpstream(t)
	g := newGateway(t, withUpstream(upstream))
	f := func(header, body string) {
		t.Helper()
		answer.Store("HTTP/1.1 200 Fine\r\nContent-Type: application/json\r\nETag: \"x\"\r\nSet-Cookie: a=1\r\n" + header + "\r\n" + body)
		r := g.get("/api/t1/job")
		if r.Status != "502 Bad Gateway" || r.Header.Get("Etag") != "" || r.Header.Get("Set-Cookie") != "" || r.Header.Get("Content-Encoding") != "" {
			t.Errorf("got %s %v", r.Status, r.Header)
		}
		if !strings.HasPrefix(r.body, `{"code":`) || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got %v %s", r.Header, r.body)
		}
	}
	f("Content-Encoding: gzip\r\nContent-Length: 7\r\n", "no gzip")
	f("", strings.Replace(placeholder, "firmware", "other", 1))
}

// TestVersionsOfHTTP: upstream and device may speak HTTP/1.0; the gateway's answer is its own, HTTP/1.1, and has no
// chunks for who does not know them (RFC 9112 §6.1).
func TestVersionsOfHTTP(t *testing.T) {
	upstream, answer := scriptedUpstream(t)
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		withUpstream(upstream)(c, g)
		c.Limits.MaxRendered = 1 << 20
	})
	const typed = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n"
	f := func(version, path, sent, want string) {
		t.Helper()
		answer.Store(sent)
		conn, err := g.ln.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET "+path+" "+version+"\r\nHost: x\r\nConnection: close\r\n\r\n")
		all, _ := io.ReadAll(conn)
		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(all))), nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, all)
		}
		body, _ := io.ReadAll(r.Body)
		if r.Proto != "HTTP/1.1" || !strings.HasPrefix(string(body), want) {
			t.Errorf("%s to a device of %s: got %.200s", path, version, all)
		}
		if version == "HTTP/1.0" && len(r.TransferEncoding) > 0 {
			t.Errorf("%s in chunks to a device of %s: %.200s", path, version, all)
		}
	}
	for _, path := range []string{"/other", "/api/t1/job"} {
		f("HTTP/1.1", path, typed+"all of it", "all of it")
		f("HTTP/1.0", path, typed+"all of it", "all of it")
		f("HTTP/1.0", path, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n\r\n", "all")
		f("HTTP/1.0", path, typed+strings.Repeat("x", 1<<20+1), `{"code":"HTTPVersionNotSupported"`)
		f("HTTP/1.0", path, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nal", `{"code":"BadGateway"`)
	}
}

// TestForwardAddsNothing: what a request does not say is not put into its mouth.
func TestForwardAddsNothing(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Store(r) }))
	defer backend.Close()
	g := newGateway(t, withUpstream(backend.URL))
	g.do("POST", "/x", "body")
	if r := seen.Load(); r == nil || r.Header.Get("Content-Type") != "" {
		t.Errorf("a body without Content-Type got one: %v", r)
	}
	seen.Store(nil)
	if r := g.do("OPTIONS", "*", ""); r.StatusCode != 400 || seen.Load() != nil {
		t.Errorf("a request for no path: %d %s, the upstream saw %v", r.StatusCode, r.body, seen.Load())
	}
}
