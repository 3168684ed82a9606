package proxy

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// TestUpstreamEndsEarly checks that a chunked answer without its last chunk is incomplete, even if TLS is closed properly, as a
// proxy in front of a dead backend does. An answer that ends with its connection is complete.
func TestUpstreamEndsEarly(t *testing.T) {
	var sent string
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+sent)
		_ = conn.Close()
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	f := func(answer, body string, want error) {
		t.Helper()
		sent = answer
		for _, server := range []*httptest.Server{plain, secure} {
			parsed, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			u := newUpstream(parsed, 5*time.Second, 4096)
			if server == secure {
				u.tls.RootCAs = x509.NewCertPool()
				u.tls.RootCAs.AddCert(secure.Certificate())
			}
			c, err := u.connect(false)
			if err != nil {
				t.Fatalf("%s: %v", server.URL, err)
			}
			c.begin()
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			var ctx fasthttp.RequestCtx
			if err := c.readHead(&ctx); err != nil {
				t.Fatalf("%s: %v", server.URL, err)
			}
			got, err := io.ReadAll(&c.body)
			if string(got) != body || !errors.Is(err, want) {
				t.Errorf("%s: got %q, %v; want %q, %v", server.URL, got, err, body, want)
			}
			c.end(false)
		}
	}
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	f(chunked+"5\r\nhello\r\n", "hello", errCut)
	f(chunked+"5\r\nhello\r\n0\r\n\r\n", "hello", nil)
	f(chunked+"5\r\nhelloA0\r\n\r\n", "hello", errChunk)
	f(chunked+"5\nhello\r\n0\r\n\r\n", "", errChunk)
	f("Content-Length: 9\r\n\r\nhello", "hello", errCut)
	f("\r\nhello", "hello", nil)
}
