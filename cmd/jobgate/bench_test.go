package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestBenchInterrupted interrupts a run: the report is still written, and the exit status is 0 only if at least one answer
// was good.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	f := func(status, code int, want string) {
		t.Helper()
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			requests.Add(1)
		}))
		t.Cleanup(server.Close)
		d := startDaemon(t, nil, "bench", "--rate", "50/s", "--connections", "2", "--warmup", "0s", "--duration", "1h", server.URL+"/x?token=hush")
		awaitText(t, func() string { return strings.Repeat("x", int(min(requests.Load(), 20))) }, strings.Repeat("x", 20))
		d.Signal(syscall.SIGINT)
		if got := d.Wait(); got != code {
			t.Errorf("answers %d: exit %d, want %d", status, got, code)
		}
		if out := d.Out.String() + d.Log.String(); !strings.Contains(out, want) || !strings.Contains(out, "interrupted") || strings.Contains(out, "hush") {
			t.Errorf("answers %d: %q or \"interrupted\" is missing, or the query is printed, in\n%s", status, want, out)
		}
	}
	f(http.StatusInternalServerError, 1, "no good answer")
	f(http.StatusOK, 0, "good")
}
