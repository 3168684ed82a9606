package edge

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// scripted is a listener whose Accept returns one error after the other.
type scripted struct {
	net.Listener
	errs []error
}

func (l *scripted) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

// TestAcceptGoesOn: accept retries when the process is out of files or memory; other errors end it.
func TestAcceptGoesOn(t *testing.T) {
	var log strings.Builder
	failed := func(errno syscall.Errno) error {
		return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)}
	}
	broken := errors.New("broken")
	ln := &scripted{errs: []error{failed(syscall.EMFILE), failed(syscall.ENFILE), failed(syscall.ENOBUFS), failed(syscall.ENOMEM), broken}}
	if _, err := accept(ln, slog.New(slog.NewTextHandler(&log, nil)), new(LogLimit)); !errors.Is(err, broken) {
		t.Errorf("accept ended with %v", err)
	}
	if !strings.Contains(log.String(), "too many open files") {
		t.Errorf("the log does not say why no connection is accepted: %q", log.String())
	}
}
