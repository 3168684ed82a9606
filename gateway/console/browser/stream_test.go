package browser

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// storm starts a proxy in front of the gateway and returns its URL. The proxy replaces the event stream with its own: rate
// reports of executions a second, and a job's counts ten times a second.
func (s *site) storm(rate int) string {
	s.t.Helper()
	gateway, err := url.Parse(s.control)
	if err != nil {
		s.t.Fatal(err)
	}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(gateway); r.Out.Host = r.In.Host }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/-/jobs/events" {
			pass.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		flusher := w.(http.Flusher)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		done := 0
		for {
			select {
			case <-r.Context().Done():
				return
			case now := <-tick.C:
				var batch strings.Builder
				for range rate / 10 {
					done++
					fmt.Fprintf(&batch, "data: {\"type\":\"execution.updated\",\"time\":%q,\"jobId\":%q,\"thingName\":\"sensor-%d\",\"status\":\"SUCCEEDED\",\"executionNumber\":1,\"versionNumber\":2}\n\n",
						now.UTC().Format(time.RFC3339Nano), longID, done)
				}
				fmt.Fprintf(&batch, "data: {\"type\":\"job.progress\",\"time\":%q,\"jobId\":%q,\"jobStatus\":\"IN_PROGRESS\",\"executions\":{\"SUCCEEDED\":%d,\"QUEUED\":1000000}}\n\n",
					now.UTC().Format(time.RFC3339Nano), longID, done)
				if _, err := w.Write([]byte(batch.String())); err != nil {
					return
				}
				flusher.Flush()
			}
		}
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// TestStorm sends ten thousand reports a second to the tab, for JOBGATE_TEST_STREAM_SECONDS (default 15; a minute is more
// reliable). The page stays usable, and its memory does not grow.
func TestStorm(t *testing.T) {
	seconds := 15
	if text := os.Getenv("JOBGATE_TEST_STREAM_SECONDS"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := newSite(t, "")
	s.populate()
	b := open(t, s.storm(10000))
	b.signedIn()
	for _, view := range []string{"/feed", "/jobs/" + longID} {
		b.visit(view)
		b.sees("live")
		time.Sleep(3 * time.Second) // until the page has reached its size
		before := b.heap()
		slowest := 0.0
		for end := time.Now().Add(time.Duration(seconds) * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			late, err := strconv.ParseFloat(b.eval(`new Promise((done) => { const began = performance.now(); requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0)); })`), 64)
			if err != nil {
				t.Fatal(err)
			}
			slowest = max(slowest, late)
		}
		after := b.heap()
		nodes := b.eval("document.querySelectorAll('*').length")
		t.Logf("%s: heap %.1f MB, then %.1f MB; the page's slowest answer took %.0f ms; %s nodes", view, before/1e6, after/1e6, slowest, nodes)
		if after > 2*before+8e6 {
			t.Errorf("%s: the heap grows from %.1f to %.1f MB", view, before/1e6, after/1e6)
		}
		if n := atoi(t, nodes); n > 3000 {
			t.Errorf("%s: %d nodes, want at most 3000", view, n)
		}
	}
	b.visit("/jobs") // still usable
	b.sees("Job ID contains")
}

// heap returns the size of the page's objects after a collection, in bytes.
func (b *tab) heap() (used float64) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return err
		}
		usage, err := cdp.Call(ctx, target, runtime.GetHeapUsage, cdp.Empty{})
		if err == nil {
			used = usage.UsedSize
		}
		return err
	}))
	return used
}
