//go:build unix

package load

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// turn writes a request and reads the first of its answer with a wait in between, and no look for an answer that cannot
// be there yet: Go's Write and Read take one system call more, on which epoll reports nothing new.
//
//	forget readiness ─▶ write ─▶ wait ─▶ read
//
// Readiness is forgotten before the write, so that an answer that comes at once is not missed. It belongs to one
// connection, which is plain.
type turn struct {
	raw     syscall.RawConn
	request []byte // what is still to be written
	buf     []byte
	sent, n int
	err     error
	step    func(fd uintptr) bool
}

// newTurn returns nil for a connection that has no descriptor to read from, such as a TLS one.
func newTurn(nc net.Conn) *turn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	t := &turn{raw: raw}
	t.step = t.onDescriptor
	return t
}

// take sends request and reads what comes into p. sent is short when the connection takes no more for now: the rest is
// to be written by other means, and nothing was read.
func (t *turn) take(request, p []byte) (sent, n int, err error) {
	t.request, t.buf, t.sent, t.n, t.err = request, p, 0, 0, nil
	if err = t.raw.Read(t.step); err == nil {
		err = t.err
	}
	t.request, t.buf = nil, nil
	return t.sent, t.n, err
}

// onDescriptor is called until it returns true, each time after the descriptor became ready again.
func (t *turn) onDescriptor(fd uintptr) bool {
	if t.request != nil {
		t.sent, t.err = retried(write, int(fd), t.request)
		whole := t.sent == len(t.request)
		t.request = nil
		if errors.Is(t.err, syscall.EAGAIN) {
			t.err = nil
		}
		return !whole
	}
	t.n, t.err = retried(read, int(fd), t.buf)
	if errors.Is(t.err, syscall.EAGAIN) {
		t.err = nil
		return false
	}
	if t.n == 0 && t.err == nil {
		t.err = io.EOF
	}
	return true
}

// retried makes a system call again when a signal interrupts it.
func retried(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		if n, err := call(fd, p); !errors.Is(err, syscall.EINTR) {
			return max(n, 0), err
		}
	}
}
