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
// of the measured part was good.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	f := func(warmup string, status, code int, want string) {
		t.Helper()
		var requests atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			requests.Add(1)
		}))
		t.Cleanup(server.Close)
		d := startDaemon(t, nil, "bench", "--rate", "50/s", "--connections", "2", "--warmup", warmup, "--duration", "1h", server.URL+"/x?token=hush")
		awaitText(t, func() string { return strings.Repeat("x", int(min(requests.Load(), 20))) }, strings.Repeat("x", 20))
		d.Signal(syscall.SIGINT)
		if got := d.Wait(); got != code {
			t.Errorf("warm-up %s, answers %d: exit %d, want %d", warmup, status, got, code)
		}
		if out := d.Out.String() + d.Log.String(); !strings.Contains(out, want) || !strings.Contains(out, "interrupted") || strings.Contains(out, "hush") {
			t.Errorf("answers %d: %q or \"interrupted\" is missing, or the query is printed, in\n%s", status, want, out)
		}
	}
	f("0s", http.StatusInternalServerError, 1, "no good answer")
	f("0s", http.StatusOK, 0, "good")
	f("1h", http.StatusOK, 1, "no good answer") // of the measured part
}
