package jobscmd

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
)

// interrupter is a stream that interrupts the command that writes to it.
type interrupter context.CancelFunc

func (interrupt interrupter) Write(p []byte) (int, error) {
	interrupt()
	return len(p), nil
}

// interrupted runs a command and interrupts it when it first writes to the stream that set sets.
func (s *site) interrupted(set func(*cobra.Command, io.Writer), args ...string) error {
	ctx, interrupt := context.WithCancel(s.Context())
	defer interrupt()
	root := s.command(operator)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	set(root, interrupter(interrupt))
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// TestInterruptedFollow interrupts show --follow. With --exit-status it fails, because the job has not ended.
func TestInterruptedFollow(t *testing.T) {
	s := newSite(t)
	s.job("j", 3, 0)
	follow := []string{"show", "j", "--follow", "--interval", "1ms"}
	if err := s.interrupted((*cobra.Command).SetOut, follow...); err != nil {
		t.Errorf("without --exit-status: %v", err)
	}
	f := func(set func(*cobra.Command, io.Writer), want string) {
		t.Helper()
		if err := s.interrupted(set, append(follow, "--exit-status")...); err == nil || err.Error() != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
	f((*cobra.Command).SetOut, `job "j" has not ended: IN_PROGRESS QUEUED=3`)

	// The last known state counts while the gateway cannot be reached.
	var described atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/jobs/j":
			w.WriteHeader(http.StatusNotFound)
		case described.Swap(true):
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = io.WriteString(w, `{"job": {"jobId": "j", "status": "SCHEDULED"}}`) // a failure fails the test
		}
	}))
	defer server.Close()
	s.connection.Endpoint = server.URL
	f((*cobra.Command).SetErr, `job "j" has not ended: SCHEDULED`)
}

// TestInterrupted: a command that was interrupted before the answer fails.
func TestInterrupted(t *testing.T) {
	s := newSite(t)
	s.job("j", 1, 1)
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	for _, args := range [][]string{
		{"list"}, {"show", "j"}, {"show", "j", "--follow"}, {"failures", "j"}, {"retry", "j"}, {"cancel", "j", "--yes"}, {"delete", "j", "--force", "--yes"},
	} {
		root := s.command(operator)
		root.SetArgs(args)
		if err := root.ExecuteContext(ctx); !errors.Is(err, errInterrupted) || !strings.Contains(err.Error(), ": interrupted before the answer") {
			t.Errorf("%q: %v", args, err)
		}
	}
}

// TestAnswer: only yes confirms. An interrupt ends the wait for an answer.
func TestAnswer(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	r := &run{ctx: ctx}
	f := func(in io.Reader, want error) {
		t.Helper()
		if err := r.answer(in); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	f(strings.NewReader("y\n"), nil)
	f(strings.NewReader(" YES \n"), nil)
	f(strings.NewReader("n\n"), errDeclined)
	f(strings.NewReader("\n"), errDeclined)
	f(strings.NewReader(""), errDeclined)
	f(strings.NewReader("y"), errDeclined) // cut short
	silent, w := io.Pipe()
	defer func() { _ = w.Close() }() // ends the read
	interrupt()
	f(silent, errDeclined)
}
