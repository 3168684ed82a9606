package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// smuggle is a case of http-desync-guardian.
type smuggle struct {
	Name, URI, Method, Version string
	Headers                    []struct{ Name, Value string }
	Expected                   struct{ Tier string }
}

// TestDesyncBeforeBackend sends what http-desync-guardian calls severe through the proxy, with
// bodies streamed: it is no request, and what follows it reaches no backend.
func TestDesyncBeforeBackend(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../gateway/testdata/http-desync/tests/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
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
	var severe []smuggle
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []smuggle
		if err := yaml.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			if c.Expected.Tier == "Severe" {
				severe = append(severe, c)
			}
		}
	}
	for _, c := range severe {
		if answers := c.send(t, g.devices); strings.Contains(answers, "HTTP/1.1 2") {
			t.Errorf("%s: answered as a request: %.200s", c.Name, answers)
		}
	}
	if len(severe) < 50 || smuggled.Load() != 0 {
		t.Errorf("%d cases, %d requests smuggled", len(severe), smuggled.Load())
	}
}

// send sends the case, and a request behind it, and returns all answers.
func (c smuggle) send(t *testing.T, address string) string {
	t.Helper()
	request := c.Method + " " + c.URI + " " + c.Version + "\r\nHost: gateway.test\r\n"
	for _, h := range c.Headers {
		request += h.Name + ": " + h.Value + "\r\n"
	}
	conn := dial(t, address)
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	_, _ = io.WriteString(conn, request+"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	answers, _ := io.ReadAll(conn)
	return string(answers)
}
