//go:build unix

package load

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
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
		t.sent, t.err = retried(syscall.Write, int(fd), t.request)
		whole := t.sent == len(t.request)
		t.request = nil
		if errors.Is(t.err, syscall.EAGAIN) {
			t.err = nil
		}
		return !whole
	}
	t.n, t.err = retried(syscall.Read, int(fd), t.buf)
	if errors.Is(t.err, syscall.EAGAIN) {
		t.err = nil
		return false
	}
	if t.n == 0 && t.err == nil {
		t.err = io.EOF
	}
	return true
}

// readNow reads what is there already. With nothing there, its error is os.ErrDeadlineExceeded.
func readNow(raw syscall.RawConn, p []byte) (n int, err error) {
	if failed := raw.Read(func(fd uintptr) bool {
		n, err = retried(syscall.Read, int(fd), p)
		return true
	}); failed != nil {
		return 0, failed
	}
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case n == 0 && err == nil:
		return 0, io.EOF
	}
	return n, err
}

// hasty is the connection below TLS. While now is set, its Read does not wait: TLS takes the time-out that it returns
// then for temporary, and goes on later with what it has.
type hasty struct {
	net.Conn
	raw syscall.RawConn
	now bool
}

// newHasty returns nc itself if it has no descriptor.
func newHasty(nc net.Conn) net.Conn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nc
	}
	return &hasty{Conn: nc, raw: raw}
}

func (h *hasty) Read(p []byte) (int, error) {
	if h.now {
		return readNow(h.raw, p)
	}
	return h.Conn.Read(p)
}

// peek reads what the target has sent already, at most into p, as readNow does. A connection without a descriptor has
// never anything there.
func (c *conn) peek(p []byte) (int, error) {
	if c.turn != nil {
		return readNow(c.turn.raw, p)
	}
	if tc, ok := c.nc.(*tls.Conn); ok {
		if below, ok := tc.NetConn().(*hasty); ok {
			below.now = true
			defer func() { below.now = false }()
			return tc.Read(p)
		}
	}
	return 0, os.ErrDeadlineExceeded
}

// retried makes a system call again when a signal interrupts it.
func retried(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		if n, err := call(fd, p); !errors.Is(err, syscall.EINTR) {
			return max(n, 0), err
		}
	}
}
