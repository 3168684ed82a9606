package gateway_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway"
)

// scriptedUpstream sends the raw bytes in answer for every request, and closes the connection.
func scriptedUpstream(t *testing.T) (url string, answer *atomic.Value) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	answer = new(atomic.Value)
	go serveScript(ln, func() string { return answer.Load().(string) })
	return "http://" + ln.Addr().String(), answer
}

func serveScript(ln net.Listener, answer func() string) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.WriteString(conn, answer())
			}
		}()
	}
}

const placeholder = `{"u":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/a}"}`

// TestFillWithoutBody checks that an answer without a body is forwarded, whatever its Content-Type.
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

// TestFillHead checks that on a fill route, an answer to HEAD has no Content-Length and no ETag of the unfilled body.
func TestFillHead(t *testing.T) {
	upstream, answer := scriptedUpstream(t)
	g := newGateway(t, withUpstream(upstream))
	answer.Store("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 81\r\nETag: \"unfilled\"\r\nX-Kept: yes\r\n\r\n")
	r := g.do("HEAD", "/api/t1/job", "")
	if r.StatusCode != 200 || r.ContentLength >= 0 || r.Header.Get("Etag") != "" || r.Header.Get("X-Kept") != "yes" {
		t.Errorf("on a fill route: %d %v, length %d", r.StatusCode, r.Header, r.ContentLength)
	}
	r = g.do("HEAD", "/other", "")
	if r.StatusCode != 200 || r.ContentLength != 81 || r.Header.Get("Etag") == "" {
		t.Errorf("on another path: %d %v, length %d", r.StatusCode, r.Header, r.ContentLength)
	}
}

// TestFillErrorHeaders checks that an error that replaces an upstream's answer has none of the answer's headers.
func TestFillErrorHeaders(t *testing.T) {
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

// TestHTTPVersions checks that the upstream and the device may use HTTP/1.0. The gateway answers in HTTP/1.1, and sends no
// chunks to an HTTP/1.0 device (RFC 9112 §6.1).
func TestHTTPVersions(t *testing.T) {
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
			t.Errorf("%s for %s: got %.200s, want the body %.60s", path, version, all, want)
		}
		if version == "HTTP/1.0" && len(r.TransferEncoding) > 0 {
			t.Errorf("%s for %s: the answer is chunked: %.200s", path, version, all)
		}
	}
	f("HTTP/1.0", "/other", typed+strings.Repeat("x", 1<<20+1), `{"code":"HTTPVersionNotSupported"`)
	f("HTTP/1.0", "/api/t1/job", typed+strings.Repeat("x", 1<<20+1), `{"code":"BadGateway"`)
	for _, path := range []string{"/other", "/api/t1/job"} {
		f("HTTP/1.1", path, typed+"all of it", "all of it")
		f("HTTP/1.0", path, typed+"all of it", "all of it")
		f("HTTP/1.0", path, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n0\r\n\r\n", "all")
		f("HTTP/1.0", path, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nal", `{"code":"BadGateway"`)
	}
}

// TestForwardAddsNothing checks that no Content-Type is added to a request, and that OPTIONS * is not forwarded.
func TestForwardAddsNothing(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Store(r) }))
	defer backend.Close()
	g := newGateway(t, withUpstream(backend.URL))
	g.do("POST", "/x", "body")
	if r := seen.Load(); r == nil || r.Header.Get("Content-Type") != "" {
		t.Errorf("the upstream saw a Content-Type that was not sent: %v", r)
	}
	seen.Store(nil)
	if r := g.do("OPTIONS", "*", ""); r.StatusCode != 400 || seen.Load() != nil {
		t.Errorf("OPTIONS *: %d %s, the upstream saw %v", r.StatusCode, r.body, seen.Load())
	}
}

// TestFailedUploads checks that a device's failed upload does not count as a failure of the upstream.
func TestFailedUploads(t *testing.T) {
	var served [2]atomic.Int64
	var urls []string
	for i := range served {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == "GET" {
				served[i].Add(1)
			}
			_, _ = io.Copy(io.Discard, r.Body)
		}))
		defer s.Close()
		urls = append(urls, s.URL)
	}
	f := func(timeout time.Duration, request string, status int, code string) {
		t.Helper()
		g := newGateway(t, func(c *gateway.Config, g *testGateway) {
			withUpstream(urls...)(c, g)
			c.Limits.ReadTimeout = timeout
		})
		for range 8 { // four for each upstream; three failures eject one
			conn, err := g.ln.Dial()
			if err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(conn, request) }()
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%.60q: %v", request, err)
			}
			body, _ := io.ReadAll(r.Body)
			_ = conn.Close()
			if r.StatusCode != status || !strings.Contains(string(body), code) {
				t.Errorf("%.60q: got %d %s, want %d %s", request, r.StatusCode, body, status, code)
			}
		}
		before := served[0].Load()
		for range 4 {
			g.get("/x")
		}
		if served[0].Load() == before {
			t.Errorf("%.60q: an upstream is ejected", request)
		}
	}
	const post = "POST /x HTTP/1.1\r\nHost: x\r\n"
	f(100*time.Millisecond, post+"Content-Length: 100000\r\n\r\n"+strings.Repeat("x", 50000), 408, "RequestTimeout")
	f(time.Minute, post+"Transfer-Encoding: chunked\r\n\r\n100000\r\n"+strings.Repeat("x", 1<<20)+"\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n", 413, "limits.max_body")
	f(time.Minute, post+"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n", 400, "InvalidRequest")
}

// TestUpstreamWithoutAddress checks that a request is answered 503 if the upstream's host name does not resolve.
func TestUpstreamWithoutAddress(t *testing.T) {
	g := newGateway(t, withUpstream("http://upstream.invalid:9000"))
	if r := g.do("POST", "/x", "body"); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v %s", r.StatusCode, r.Header, r.body)
	}
}

// TestIncompleteUploads checks that an incomplete body never looks complete to the upstream, and is answered 400.
func TestIncompleteUploads(t *testing.T) {
	var whole atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err == nil {
			whole.Add(1)
		}
	}))
	defer backend.Close()
	cert, key, client := writeCertificates(t)
	g := newGateway(t, withUpstream(backend.URL))
	plain, _ := runServer(t, g, nil)
	secure, _ := runServer(t, g, func(c *gateway.ServerConfig) { c.TLS = &gateway.TLS{Setting: "tls", CertFile: cert, KeyFile: key} })
	f := func(body string, status int) {
		t.Helper()
		for _, conn := range []net.Conn{dial(t, plain.Addr("listen")), tls.Client(dial(t, secure.Addr("listen")), client)} {
			before := whole.Load()
			if _, err := io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: x\r\n"+body); err != nil {
				t.Fatal(err)
			}
			if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("%T %.60q: %v", conn, body, err)
			}
			if r.StatusCode != status || whole.Load()-before != map[int]int64{200: 1}[status] {
				t.Errorf("%T %.60q: got %d, want %d; the upstream read %d whole bodies", conn, body, r.StatusCode, status, whole.Load()-before)
			}
		}
	}
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	f(chunked+"5\r\nhello\r\n", 400)
	f(chunked+"5\r\nhel", 400)
	f(chunked+"5\r\nhello\r\n0\r\n\r\n", 200)
	f("Content-Length: 100000\r\n\r\n"+strings.Repeat("x", 50000), 400)
	f("Content-Length: 50000\r\n\r\n"+strings.Repeat("x", 50000), 200)
}

// writeCertificates writes httptest's certificate and key to files, and returns a client's configuration that trusts it.
func writeCertificates(t *testing.T) (cert, key string, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		key:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return cert, key, &tls.Config{RootCAs: roots, ServerName: "example.com"}
}

// TestIncompleteAnswers checks that an incomplete chunked answer never looks complete to the device.
func TestIncompleteAnswers(t *testing.T) {
	upstream, answer := scriptedUpstream(t)
	answer.Store("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n")
	g := newGateway(t, withUpstream(upstream))
	if r := g.get("/api/t1/job"); r.StatusCode != 502 {
		t.Errorf("on a fill route: %d %s, want 502", r.StatusCode, r.body)
	}
	conn, err := g.ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if all, _ := io.ReadAll(conn); !strings.Contains(string(all), `{"a":1}`) || strings.HasSuffix(string(all), "0\r\n\r\n") {
		t.Errorf("on another path: the answer looks complete, or its beginning is missing: %s", all)
	}
}
