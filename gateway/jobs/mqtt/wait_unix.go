//go:build unix

package mqtt

import (
	"errors"
	"io"
	"syscall"
)

// raw returns the connection's socket, nil if it is none or its bytes are encrypted.
func (c *conn) raw() syscall.RawConn {
	if _, ok := c.net.(secured); ok {
		return nil
	}
	s, ok := c.net.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// waitRaw reads as soon as there are bytes, into a buffer that is taken only then. waited is false for a connection that
// is no socket, or whose bytes are encrypted.
func (c *conn) waitRaw() (b *[]byte, n int, err error, waited bool) {
	raw := c.raw()
	if raw == nil {
		return nil, 0, nil, false
	}
	var failure error
	err = raw.Read(func(fd uintptr) bool {
		b = buffers.Get().(*[]byte)
		for {
			n, failure = syscall.Read(int(fd), *b)
			if !errors.Is(failure, syscall.EINTR) {
				break
			}
		}
		if errors.Is(failure, syscall.EAGAIN) {
			keep(b)
			b = nil
			return false
		}
		return true
	})
	switch {
	case err == nil && failure != nil:
		err = failure
	case err == nil && n <= 0:
		err = io.EOF
	}
	if err != nil {
		if b != nil {
			keep(b)
		}
		return nil, 0, err, true
	}
	return b, n, nil, true
}
