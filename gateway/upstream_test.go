package gateway

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

// TestUpstreamBreaksOff: a chunked answer without its last chunk is no whole one, also where TLS ends in order, as a
// proxy before a dead backend ends it. An answer that ends with its connection is.
func TestUpstreamBreaksOff(t *testing.T) {
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
			roots := x509.NewCertPool()
			if server == secure {
				roots.AddCert(secure.Certificate())
			}
			u := newUpstream(parsed, 5*time.Second, false)
			u.tls.RootCAs = roots
			var req fasthttp.Request
			var resp fasthttp.Response
			req.SetRequestURI("http://" + u.host + "/")
			if err := u.do(&req, &resp); err != nil {
				t.Fatalf("%s: %v", server.URL, err)
			}
			got, err := io.ReadAll(resp.BodyStream())
			if string(got) != body || !errors.Is(err, want) {
				t.Errorf("%s: got %q, %v; want %q, %v", server.URL, got, err, body, want)
			}
			_ = resp.CloseBodyStream()
		}
	}
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	f(chunked+"5\r\nhello\r\n", "hello", io.ErrUnexpectedEOF)
	f(chunked+"5\r\nhello\r\n0\r\n\r\n", "hello", nil)
	f("Content-Length: 9\r\n\r\nhello", "hello", io.ErrUnexpectedEOF)
	f("\r\nhello", "hello", nil)
}
