package gateway

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// scripted is a listener whose Accept fails with one error after the other.
type scripted struct {
	net.Listener
	errs []error
}

func (l *scripted) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, err
}

// TestAcceptGoesOn: without a file to open for a connection the next ones wait, and listening does not end.
func TestAcceptGoesOn(t *testing.T) {
	var log strings.Builder
	accept := func(errno syscall.Errno) error {
		return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)}
	}
	broken := errors.New("broken")
	l := &enduring{
		Listener: &scripted{errs: []error{accept(syscall.EMFILE), accept(syscall.ENFILE), accept(syscall.ENOBUFS), accept(syscall.ENOMEM), broken}},
		log:      slog.New(slog.NewTextHandler(&log, nil)),
	}
	if _, err := l.Accept(); !errors.Is(err, broken) {
		t.Errorf("Accept ended with %v", err)
	}
	if !strings.Contains(log.String(), "too many open files") {
		t.Errorf("the log does not say why nobody is let in: %q", log.String())
	}
}
