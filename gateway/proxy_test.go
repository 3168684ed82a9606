package gateway_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway"
	"jobgate/gateway/servertest"
	"jobgate/gateway/signing"
)

// echo answers with the request.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Kept", "yes")
	w.Header().Set("Connection", "X-Hop")
	w.Header().Set("X-Hop", "of this connection")
	w.Header().Add("Set-Cookie", "a=1")
	w.Header().Add("Set-Cookie", "b=2")
	w.WriteHeader(http.StatusTeapot)
	_, _ = fmt.Fprintf(w, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Custom", "Te", "Proxy-Authorization", "X-Listed", "Upgrade", "Accept-Encoding", "X-Thing-Name"} {
		if v := r.Header.Values(name); len(v) > 0 {
			_, _ = fmt.Fprintf(w, "%s: %s\n", name, strings.Join(v, "|"))
		}
	}
	_, _ = fmt.Fprintf(w, "body %d %.20s\n", len(body), body)
}

func withUpstream(urls ...string) func(*gateway.Config, *testGateway) {
	return func(c *gateway.Config, _ *testGateway) {
		c.Upstream = urls
		c.Routes = append(c.Routes, gateway.Route{Path: "/api/{thingName}/job", Fill: true, Expires: 15 * time.Minute})
		c.Rules[""] = signing.RoleRules{Allow: []string{"arn:aws:s3:::firmware/*"}, Setting: "presign"}
	}
}

func TestProxyForwardsUnchanged(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(echo))
	defer backend.Close()
	g := newGateway(t, withUpstream(backend.URL))
	host := strings.TrimPrefix(backend.URL, "http://")
	r := g.do("POST", "/a%2Fb/../c//d?x=%20&y", "hello", "X-Custom: 1", "Te: trailers", "Proxy-Authorization: secret",
		"Connection: X-Listed", "X-Listed: gone", "Upgrade: websocket", "X-Forwarded-For: 6.6.6.6", "Accept-Encoding: br")
	want := "POST /a%2Fb/../c//d?x=%20&y\nHost: " + host + "\nX-Forwarded-Proto: http\nX-Forwarded-Host: gateway.test\nX-Custom: 1\nAccept-Encoding: br\nbody 5 hello\n"
	got := r.body
	if i := strings.Index(got, "X-Forwarded-For: "); i >= 0 { // an in-memory peer has no address
		t.Errorf("an untrusted peer's X-Forwarded-For was forwarded: %s", got)
	}
	if r.StatusCode != http.StatusTeapot || got != want {
		t.Errorf("got %d\n%s\nwant\n%s", r.StatusCode, got, want)
	}
	if r.Header.Get("X-Kept") != "yes" || r.Header.Get("X-Hop") != "" || len(r.Header.Values("Set-Cookie")) != 2 {
		t.Errorf("headers %v", r.Header)
	}
}

func TestProxyStreamsBothWays(t *testing.T) {
	step := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.WriteHeader(200)
		_, _ = fmt.Fprintf(w, "%d;", n)
		w.(http.Flusher).Flush()
		<-step // the first part is read before the second is written
		_, _ = w.Write(bytes.Repeat([]byte("y"), 3<<20))
	}))
	defer backend.Close()
	g := newGateway(t, withUpstream(backend.URL))
	conn, err := g.ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	go func() {
		_, _ = io.WriteString(conn, "PUT /up HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
		_, _ = conn.Write(bytes.Repeat([]byte("x"), 900000))
	}()
	buf, got := make([]byte, 4096), ""
	for !strings.Contains(got, "900000;") {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err, got)
		}
		got += string(buf[:n])
	}
	close(step)
	n := 0
	for n < 3<<20 {
		m, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", n, err)
		}
		n += m
	}
}

func TestProxyLimitsUploads(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(echo))
	defer backend.Close()
	g := newGateway(t, withUpstream(backend.URL))
	if r := g.do("POST", "/up", strings.Repeat("x", 1<<20+1)); r.StatusCode != 413 || !strings.Contains(r.body, "limits.max_body") {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
	if r := g.do("POST", "/up", strings.Repeat("x", 1<<20)); r.StatusCode != http.StatusTeapot || !strings.Contains(r.body, "body 1048576") {
		t.Errorf("got %d %s", r.StatusCode, r.body)
	}
}

const filled = `{"execution":{"jobDocument":"{\"url\":\"${aws:iot:s3-presigned-url:https:\/\/s3.us-east-1.amazonaws.com\/firmware\/v 7.bin}\"}"}}`

func TestFillInFlight(t *testing.T) {
	var body, contentType, encoding atomic.Value
	status, chunked := atomic.Int64{}, atomic.Bool{}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Accept-Encoding", "If-None-Match", "Range"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s: %s was forwarded", name, r.Header.Get(name))
			}
		}
		w.Header().Set("Content-Type", contentType.Load().(string))
		w.Header().Set("ETag", `"unfilled"`)
		if e := encoding.Load().(string); e != "" {
			w.Header().Set("Content-Encoding", e)
		}
		w.WriteHeader(int(status.Load()))
		data := []byte(body.Load().(string))
		if chunked.Load() {
			w.(http.Flusher).Flush()
		}
		_, _ = w.Write(data)
	}))
	defer backend.Close()
	g := newGateway(t, withUpstream(backend.URL))
	ask := func(code int, typ, enc, text string) response {
		t.Helper()
		status.Store(int64(code))
		contentType.Store(typ)
		encoding.Store(enc)
		body.Store(text)
		return g.get("/api/t1/job", "Accept-Encoding: gzip", `If-None-Match: "x"`, "Range: bytes=0-1")
	}
	signed := func(r response) {
		t.Helper()
		if r.StatusCode != 200 || strings.Contains(r.body, "${") || r.Header.Get("Etag") != "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("got %d %v %s", r.StatusCode, r.Header, r.body)
		}
		inner := urlIn(t, r.body, "execution")
		raw := inner[strings.Index(inner, "https://"):strings.Index(inner, `"}`)]
		if v := verifyURL(t, raw, "GET", time.Now()); v.Path != "/firmware/v 7.bin" {
			t.Errorf("the URL is for %+v", v)
		}
	}
	signed(ask(200, "application/json", "", filled))
	signed(ask(200, "application/vnd.api+json; charset=utf-8", "", filled))
	chunked.Store(true)
	signed(ask(200, "application/json", "", filled))
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(filled))
	_ = z.Close()
	if r := ask(200, "application/json", "gzip", zipped.String()); r.Header.Get("Content-Encoding") != "" {
		t.Errorf("a filled answer has a Content-Encoding: %v", r.Header)
	} else {
		signed(r)
	}
	same := func(r response, status int, text string) {
		t.Helper()
		if r.StatusCode != status || r.body != text || r.Header.Get("Etag") == "" {
			t.Errorf("got %d %v %.200s", r.StatusCode, r.Header, r.body)
		}
	}
	same(ask(200, "application/json", "", `{"nothing":"to fill"}`), 200, `{"nothing":"to fill"}`)
	same(ask(404, "application/json", "", filled), 404, filled)
	same(ask(200, "text/html", "", "<p>nothing to fill"), 200, "<p>nothing to fill")
	chunked.Store(false)
	rejected := func(text, message string) {
		t.Helper()
		if r := ask(200, "application/json", "", text); r.StatusCode != 502 || !strings.Contains(r.body, message) || strings.Contains(r.body, "X-Amz") {
			t.Errorf("got %d %s, want 502 with %q", r.StatusCode, r.body, message)
		}
	}
	rejected(`{"x":"`+strings.Repeat("x", 1<<20)+filled[1:], "limits.max_document")
	rejected(`{"a":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/other/k}"}`, "presign.allow")
	rejected(`{"a":"${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/firmware/k}"}`, "allow_upload")
	rejected(`{"a":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com.evil.example/firmware/k}"}`, "evil")
	rejected(`{"a":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/k`, "not terminated")
	if r := ask(200, "application/json", "gzip", "no gzip"); r.StatusCode != 502 {
		t.Errorf("broken gzip: got %d %s", r.StatusCode, r.body)
	}
	// Outside a fill route, a placeholder in an upstream's answer is not filled.
	contentType.Store("application/json")
	encoding.Store("")
	body.Store(filled)
	if r := g.do("GET", "/other", ""); r.body != filled {
		t.Errorf("outside a fill route: %s", r.body)
	}
}

func TestUpstreamsRotateAndFail(t *testing.T) {
	var served [2]atomic.Int64
	var urls []string
	var servers []*httptest.Server
	for i := range served {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			served[i].Add(1)
			_, _ = io.WriteString(w, "ok")
		}))
		defer s.Close()
		servers, urls = append(servers, s), append(urls, s.URL)
	}
	g := newGateway(t, withUpstream(urls...))
	for range 20 {
		g.get("/x")
	}
	if served[0].Load() != 10 || served[1].Load() != 10 {
		t.Errorf("of 20 requests, the upstreams got %d and %d, want 10 each", served[0].Load(), served[1].Load())
	}
	servers[0].CloseClientConnections()
	servers[0].Close()
	for i := range 50 {
		if r := g.get("/x"); r.StatusCode != 200 {
			t.Fatalf("GET %d after one of two upstreams stopped: %d %s", i, r.StatusCode, r.body)
		}
		if r := g.do("POST", "/x", "body"); r.StatusCode != 200 {
			t.Fatalf("POST %d after one of two upstreams stopped: %d %s", i, r.StatusCode, r.body)
		}
	}
	servers[1].Close()
	r := g.get("/x")
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("with no upstream left: %d %v %s", r.StatusCode, r.Header, r.body)
	}
}

func TestUpstreamBroken(t *testing.T) {
	attempts := atomic.Int64{}
	answer := atomic.Value{}
	answer.Store("")
	address := servertest.Serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		attempts.Add(1)
		_, _ = io.WriteString(conn, answer.Load().(string))
	})
	g := newGateway(t, withUpstream("http://"+address))
	if r := g.do("POST", "/x", "body"); r.StatusCode != 502 || attempts.Load() != 1 {
		t.Errorf("a POST whose connection is closed: %d after %d attempts, want 502 after 1", r.StatusCode, attempts.Load())
	}
	attempts.Store(0)
	if r := g.get("/x"); r.StatusCode != 502 || attempts.Load() != 3 {
		t.Errorf("a GET whose connection is closed: %d after %d attempts, want 502 after 3", r.StatusCode, attempts.Load())
	}
	answer.Store("garbage\r\n\r\n")
	if r := g.get("/x"); r.StatusCode != 502 {
		t.Errorf("an invalid answer: %d, want 502", r.StatusCode)
	}
	answer.Store("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"a\":1")
	if r := g.get("/api/t1/job"); r.StatusCode != 502 || strings.Contains(r.body, `"a":1`) {
		t.Errorf("an incomplete answer on a fill route: %d %s, want 502", r.StatusCode, r.body)
	}
}

func TestTrustedProxies(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(echo))
	defer backend.Close()
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		withUpstream(backend.URL)(c, g)
		c.Auth = gateway.Auth{Mode: gateway.AuthHeader, Header: "X-Thing-Name", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	})
	if r := g.get("/x", "X-Thing-Name: t1"); r.StatusCode != 401 {
		t.Errorf("an untrusted peer sent the identity header: %d %s, want 401", r.StatusCode, r.body)
	}
}
