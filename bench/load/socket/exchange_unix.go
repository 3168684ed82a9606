//go:build unix

package socket

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Exchange writes a request, waits and reads the start of its answer. Unlike Go's
// Write and Read, it does not try to read before it waits, which saves a system call that finds nothing.
//
//	forget readiness ─▶ write ─▶ wait ─▶ read
//
// Readiness is forgotten before the write, so that an immediate answer is not missed. An Exchange belongs to one
// plain connection, and to one goroutine at a time.
type Exchange struct {
	raw     syscall.RawConn
	request []byte // what is still to be written
	buf     []byte
	sent, n int
	err     error
	step    func(fd uintptr) bool
}

// NewExchange returns nil for a connection that has no descriptor to read from, such as a TLS one.
func NewExchange(nc net.Conn) *Exchange {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	e := &Exchange{raw: raw}
	e.step = e.onDescriptor
	return e
}

// Do sends request and reads into p. If the connection accepts only part of the request for now, sent is short and nothing was
// read; the caller writes the rest.
func (e *Exchange) Do(request, p []byte) (sent, n int, err error) {
	e.request, e.buf, e.sent, e.n, e.err = request, p, 0, 0, nil
	if err = e.raw.Read(e.step); err == nil {
		err = e.err
	}
	e.request, e.buf = nil, nil
	return e.sent, e.n, err
}

// onDescriptor is called each time the descriptor is ready, until it returns true.
func (e *Exchange) onDescriptor(fd uintptr) bool {
	if e.request != nil {
		e.sent, e.err = retried(syscall.Write, int(fd), e.request)
		whole := e.sent == len(e.request)
		e.request = nil
		if errors.Is(e.err, syscall.EAGAIN) {
			e.err = nil
		}
		return !whole
	}
	e.n, e.err = retried(syscall.Read, int(fd), e.buf)
	if errors.Is(e.err, syscall.EAGAIN) {
		e.err = nil
		return false
	}
	if e.n == 0 && e.err == nil {
		e.err = io.EOF
	}
	return true
}

// readNow reads without waiting. If there is nothing to read, its error is os.ErrDeadlineExceeded.
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

// peekable is the connection below TLS. While now is set, its Read does not wait. It then returns a timeout,
// which crypto/tls treats as temporary: a later read continues where this one stopped.
type peekable struct {
	net.Conn
	raw syscall.RawConn
	now bool
}

// Peekable wraps the connection below a TLS one for ReadAvailable. It returns nc itself if nc has no descriptor.
func Peekable(nc net.Conn) net.Conn {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nc
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nc
	}
	return &peekable{Conn: nc, raw: raw}
}

func (c *peekable) Read(p []byte) (int, error) {
	if c.now {
		return readNow(c.raw, p)
	}
	return c.Conn.Read(p)
}

// ReadAvailable reads what has already arrived into p, without waiting. If there is nothing, its error is
// os.ErrDeadlineExceeded. e is nc's Exchange, or nil, in which case nc may be TLS over a Peekable. For any other
// connection nothing is ever available.
func ReadAvailable(nc net.Conn, e *Exchange, p []byte) (int, error) {
	if e != nil {
		return readNow(e.raw, p)
	}
	if tc, ok := nc.(*tls.Conn); ok {
		if below, ok := tc.NetConn().(*peekable); ok {
			below.now = true
			defer func() { below.now = false }()
			return tc.Read(p)
		}
	}
	return 0, os.ErrDeadlineExceeded
}

// retried repeats a system call that was interrupted by a signal.
func retried(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		if n, err := call(fd, p); !errors.Is(err, syscall.EINTR) {
			return max(n, 0), err
		}
	}
}
