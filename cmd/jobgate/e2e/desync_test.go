package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/desynctest"
)

// TestDesyncBeforeBackend sends the requests that http-desync-guardian classifies as severe through the proxy, with streamed
// bodies. None may be answered with success, and the request smuggled after it must not reach the backend.
func TestDesyncBeforeBackend(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var smuggled atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			smuggled.Add(1)
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(backend.Close)
	g := s.serve(`upstream: ["` + backend.URL + `"]
limits: {read_timeout: 300ms}
`)
	for _, c := range desynctest.Cases(t, "../../../gateway/testdata") {
		if !c.Severe() {
			continue
		}
		if answers := smuggle(t, &c, g.devices); strings.Contains(answers, "HTTP/1.1 2") {
			t.Errorf("%s: answered with success: %.200s", c.Name, answers)
		}
	}
	if n := smuggled.Load(); n != 0 {
		t.Errorf("%d requests were smuggled", n)
	}
}

// smuggle sends a case with a request after it, and returns all answers.
func smuggle(t *testing.T, c *desynctest.Case, address string) string {
	t.Helper()
	conn := dial(t, address)
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	_, _ = io.WriteString(conn, c.Head()+"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	answers, _ := io.ReadAll(conn)
	return string(answers)
}
