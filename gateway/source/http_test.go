package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func newHTTP(tb testing.TB, o HTTPOptions) *HTTP {
	tb.Helper()
	h := NewHTTP(o)
	tb.Cleanup(h.Close)
	return h
}

func serve(tb testing.TB, h http.HandlerFunc) string {
	tb.Helper()
	s := httptest.NewServer(h)
	tb.Cleanup(s.Close)
	return s.URL
}

func zip(tb testing.TB, body []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	if err := errors.Join(err, z.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestHTTP(t *testing.T) {
	h := newHTTP(t, HTTPOptions{})
	f := func(body string, header map[string]string, want Document) {
		t.Helper()
		u := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.UserAgent() != "jobgate" || r.Header.Get("Authorization") != "" {
				t.Errorf("unexpected request: %v %v", r.Method, r.Header)
			}
			w.Header()["Content-Type"] = nil
			for k, v := range header {
				w.Header().Set(k, v)
			}
			_, _ = io.WriteString(w, body)
		})
		doc, err := h.Load(t.Context(), Request{URL: u + "/doc"})
		if err != nil || string(doc.Body) != string(want.Body) || doc.ContentType != want.ContentType ||
			doc.ETag != want.ETag || doc.LastModified != want.LastModified || doc.NotModified {
			t.Errorf("unexpected document: %+v, %v; want %+v", doc, err, want)
		}
	}
	f("{}", nil, Document{Body: []byte("{}")})
	f("", nil, Document{})
	f("a: 1", map[string]string{"Content-Type": "application/yaml; v=1", "ETag": `W/"1"`, "Last-Modified": "Sun, 01 Mar 2026 12:00:00 GMT"},
		Document{Body: []byte("a: 1"), ContentType: "application/yaml; v=1", ETag: `W/"1"`, LastModified: "Sun, 01 Mar 2026 12:00:00 GMT"})
	f(string(zip(t, []byte("{}"))), map[string]string{"Content-Encoding": "gzip"}, Document{Body: []byte("{}")})
	long := strings.Repeat("0123456789", 50_000)
	f(long, nil, Document{Body: []byte(long)}) // in chunks
	f(string(zip(t, []byte(long))), map[string]string{"Content-Encoding": "GZIP"}, Document{Body: []byte(long)})
}

// The path is sent exactly as the pattern produces it.
func TestHTTPPathIsSentAsItIs(t *testing.T) {
	h := newHTTP(t, HTTPOptions{})
	var got string
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.RequestURI })
	for _, path := range []string{"/a%20b//c/", "/%C3%BC/x%2Fy?q=a%26b&z", "/a:b@c/~_-.!$'()*+,;=", "/"} {
		if _, err := h.Load(t.Context(), Request{URL: u + path}); err != nil || got != path {
			t.Errorf("unexpected request: %q, %v; want %q", got, err, path)
		}
	}
}

func TestHTTPRevalidation(t *testing.T) {
	h := newHTTP(t, HTTPOptions{})
	const modified = "Sun, 01 Mar 2026 12:00:00 GMT"
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("If-None-Match") == `"1"`:
			w.Header().Set("ETag", `"1"`)
		case r.Header.Get("If-None-Match") == "" && r.Header.Get("If-Modified-Since") == modified:
		default:
			_, _ = io.WriteString(w, "{}")
			return
		}
		w.WriteHeader(http.StatusNotModified)
	})
	f := func(etag, lastModified string, notModified bool) {
		t.Helper()
		doc, err := h.Load(t.Context(), Request{URL: u, ETag: etag, LastModified: lastModified})
		if err != nil || doc.NotModified != notModified || (doc.Body == nil) != notModified {
			t.Errorf("unexpected revalidation: %+v, %v", doc, err)
		}
		if notModified && (doc.ETag != etag || doc.LastModified != lastModified) {
			t.Errorf("the validators were lost: %+v", doc)
		}
	}
	f(`"1"`, "", true)
	f(`"1"`, modified, true)
	f("", modified, true)
	f(`"2"`, modified, false)
	f("", "", false)
}

func TestHTTPStatuses(t *testing.T) {
	h := newHTTP(t, HTTPOptions{})
	f := func(status int, class error, text string) {
		t.Helper()
		hits := 0
		u := serve(t, func(w http.ResponseWriter, r *http.Request) {
			hits++
			w.Header().Set("Location", "http://hush:hush@"+r.Host+"/other?token=hush")
			w.WriteHeader(status)
		})
		doc, err := h.Load(t.Context(), Request{URL: u + "/doc?token=hush"})
		if !errors.Is(err, class) || doc.Body != nil || !strings.Contains(err.Error(), text) || hits != 1 {
			t.Errorf("unexpected answer to %d: %+v, %v after %d requests; want %v, %q", status, doc, err, hits, class, text)
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("the error holds a token: %v", err)
		}
	}
	f(404, ErrNotFound, "404")
	f(410, ErrNotFound, "410")
	f(403, ErrForbidden, "403")
	f(301, ErrUnavailable, "redirect to")
	f(302, ErrUnavailable, "/other\", which is not followed")
	f(308, ErrUnavailable, "redirect to")
	f(304, ErrUnavailable, "304") // unexpected: the request had no validator
	f(204, ErrUnavailable, "204")
	f(206, ErrUnavailable, "206")
	f(400, ErrUnavailable, "400")
	f(401, ErrUnavailable, "401")
	f(429, ErrUnavailable, "429")
	f(500, ErrUnavailable, "500")
	f(503, ErrUnavailable, "503")
}

func TestHTTPLimit(t *testing.T) {
	h := newHTTP(t, HTTPOptions{})
	f := func(handler http.HandlerFunc, class error) {
		t.Helper()
		doc, err := h.Load(t.Context(), Request{URL: serve(t, handler), Limit: 1000})
		if !errors.Is(err, class) || class != nil && doc.Body != nil {
			t.Errorf("unexpected answer: %d bytes, %v; want %v", len(doc.Body), err, class)
		}
	}
	body := func(n int, encoding string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			b := bytes.Repeat([]byte("x"), n)
			if encoding != "" {
				w.Header().Set("Content-Encoding", encoding)
				b = zip(t, b)
			}
			_, _ = w.Write(b)
		}
	}
	f(body(1000, ""), nil)
	f(body(1001, ""), ErrTooLarge)
	f(body(1000, "gzip"), nil)
	f(body(1001, "gzip"), ErrTooLarge)
	f(body(10_000_000, "gzip"), ErrTooLarge) // 10 kB on the wire
	f(body(1, "br"), ErrUnavailable)
	f(func(w http.ResponseWriter, _ *http.Request) { // announces more than it sends
		w.Header().Set("Content-Length", "1000000000000")
	}, ErrTooLarge)
	endless := func(piece []byte, encoding string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", encoding)
			for r.Context().Err() == nil {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}
	}
	f(endless([]byte("xxxxxxxx"), "identity"), ErrTooLarge)
	f(endless(zip(t, nil), "gzip"), ErrTooLarge) // endless, and decodes to nothing
	f(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "this is no gzip")
	}, ErrUnavailable)
	f(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write(make([]byte, 2<<20))
	}, ErrNotFound)
	f(func(w http.ResponseWriter, _ *http.Request) { // cut short where a chunk ends
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"))
		_ = conn.Close()
	}, ErrUnavailable)
	f(func(w http.ResponseWriter, _ *http.Request) { // truncated
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "{")
	}, ErrUnavailable)
}

func TestHTTPTimeouts(t *testing.T) {
	block := make(chan struct{})
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Header().Set("Content-Length", "10")
			_ = http.NewResponseController(w).Flush()
		}
		<-block
	})
	t.Cleanup(func() { close(block) })
	f := func(ctx context.Context, h *HTTP, path string) {
		t.Helper()
		began := time.Now()
		_, err := h.Load(ctx, Request{URL: u + path})
		if d := time.Since(began); !errors.Is(err, ErrUnavailable) || d > 8*time.Second {
			t.Errorf("unexpected end of %q: %v after %v", path, err, d)
		}
	}
	quick := newHTTP(t, HTTPOptions{Timeout: 50 * time.Millisecond})
	f(t.Context(), quick, "/head")
	f(t.Context(), quick, "/body")
	patient := newHTTP(t, HTTPOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	f(ctx, patient, "/head")
	f(ctx, patient, "/head") // already ended
}

func TestHTTPServerAway(t *testing.T) {
	h := newHTTP(t, HTTPOptions{Timeout: 2 * time.Second, ConnectTimeout: time.Second})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := "http://" + l.Addr().String()
	_ = l.Close()
	for _, u := range []string{u, "http://nobody.invalid/x", "ftp://127.0.0.1/x", "http://user:pw@127.0.0.1/", "http://%zz/", "x"} {
		if _, err := h.Load(t.Context(), Request{URL: u}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("unexpected error of %q: %v", u, err)
		}
	}
}

// An idle connection that the server has closed causes no error.
func TestHTTPStaleConnection(t *testing.T) {
	h := newHTTP(t, HTTPOptions{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.URL.Path) }))
	t.Cleanup(s.Close)
	for i := range 5 {
		doc, err := h.Load(t.Context(), Request{URL: fmt.Sprintf("%s/%d", s.URL, i)})
		if err != nil || string(doc.Body) != fmt.Sprintf("/%d", i) {
			t.Errorf("unexpected document: %+v, %v", doc, err)
		}
		s.CloseClientConnections()
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	h := newHTTP(t, HTTPOptions{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if doc, err := h.Load(t.Context(), Request{URL: s.URL}); err != nil || string(doc.Body) != "{}" {
		t.Errorf("unexpected document: %+v, %v", doc, err)
	}
	stranger := newHTTP(t, HTTPOptions{})
	if _, err := stranger.Load(t.Context(), Request{URL: s.URL}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("unexpected error of an unknown certificate: %v", err)
	}
}
