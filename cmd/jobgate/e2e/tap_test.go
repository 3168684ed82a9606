package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"testing"

	"jobgate/presigner/miniotest"
)

// tap is a proxy between a gateway and its STS. It delays requests until it is opened, and adds the secrets of the sessions
// to the journal.
type tap struct {
	server *httptest.Server
	open   chan struct{} // closed to forward requests
}

func newTap(t *testing.T, p *miniotest.Proxy) *tap {
	t.Helper()
	target, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	b := &tap{open: make(chan struct{})}
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the host is signed
		},
		ModifyResponse: noteSession,
	}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-b.open:
			pass.ServeHTTP(w, r)
		case <-t.Context().Done():
		}
	}))
	t.Cleanup(b.server.Close)
	return b
}

// env makes the tap a gateway's STS endpoint.
func (b *tap) env() string { return "AWS_ENDPOINT_URL_STS=" + b.server.URL }

var secretInSession = regexp.MustCompile(`<(?:SecretAccessKey|SessionToken)>([^<]+)<`)

func noteSession(res *http.Response) error {
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	for _, m := range secretInSession.FindAllSubmatch(body, -1) {
		logs.secret(string(m[1]))
	}
	return nil
}
