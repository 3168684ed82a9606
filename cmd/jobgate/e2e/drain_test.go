package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jobgate/gateway/servertest"
)

// fleet is a set of devices that send requests in a loop until they are stopped.
type fleet struct {
	stop     atomic.Bool
	devices  sync.WaitGroup
	answered atomic.Int64
	closed   atomic.Int64 // answers with Connection: close
	faults   sync.Map
}

// run starts n devices, each with its own connection.
func (f *fleet) run(n int, url, want string) {
	for range n {
		f.devices.Go(func() {
			c := &http.Client{Timeout: 45 * time.Second, Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			for !f.stop.Load() {
				a, err := ask(c, http.MethodGet, url, "")
				if err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, want) {
					f.faults.Store(fmt.Sprint(a.status, " ", a.body, " ", err), true)
					return
				}
				f.answered.Add(1)
				if a.last {
					f.closed.Add(1)
				}
			}
		})
	}
}

// TestDrain stops a gateway under load. As a balancer expects, /readyz changes to 503, and every request that has begun is
// answered, slow ones even after the listeners are closed.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.file("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	began := make(chan struct{}, 100)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		time.Sleep(8 * time.Second)
		_, _ = io.WriteString(w, "slow but whole")
	}))
	t.Cleanup(backend.Close)
	g := s.serve(oneDocument+"upstream: ["+backend.URL+"]\n", "JOBGATE_DRAIN_DELAY=5s", "JOBGATE_DRAIN_TIMEOUT=30s")

	var quick, slow fleet
	quick.run(16, "http://"+g.devices+"/doc", `{"url": "http://127.0.0.1:`)
	servertest.Eventually(t, "load", func() bool { return quick.answered.Load() > 500 })
	slow.run(4, "http://"+g.devices+"/slow", "slow but whole")
	for range 4 {
		<-began
	}
	slow.stop.Store(true) // after the current request
	g.Signal(syscall.SIGTERM)
	servertest.Eventually(t, "readyz returns 503", func() bool { status, r := g.readyz(); return status == http.StatusServiceUnavailable && r.Draining })
	before := quick.answered.Load()
	servertest.Eventually(t, "answers during the drain, with Connection: close", func() bool { return quick.answered.Load() > before && quick.closed.Load() > 0 })
	quick.stop.Store(true)
	quick.devices.Wait()
	slow.devices.Wait()
	for _, f := range []*fleet{&quick, &slow} {
		f.faults.Range(func(what, _ any) bool {
			t.Errorf("a request failed: %s", what)
			return true
		})
	}
	if slow.answered.Load() != 4 {
		t.Errorf("%d of 4 slow requests were answered", slow.answered.Load())
	}
	if code := g.Wait(); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
}

// TestSecondSignal checks that a second signal stops a gateway that would drain for a minute.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.file("doc.json", `{}`)
	g := s.serve(oneDocument, "JOBGATE_DRAIN_DELAY=60s")
	g.Signal(syscall.SIGTERM)
	servertest.Eventually(t, "the gateway drains", func() bool { return strings.Contains(g.Log.String(), "msg=draining") })
	if a := get(t, "http://"+g.devices+"/doc"); a.status != http.StatusOK {
		t.Errorf("while draining: %d %s", a.status, a.body)
	}
	g.Signal(syscall.SIGINT)
	if code := g.Wait(); code != 1 {
		t.Errorf("exit %d, want 1 before the end of the drain delay", code)
	}
}
