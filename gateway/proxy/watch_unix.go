//go:build unix

package proxy

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// watch checks whether an idle connection is still usable, with one system call (some 0.3 µs).
type watch struct {
	raw   syscall.RawConn
	poll  func(fd uintptr)
	fds   [1]unix.PollFd
	quiet bool
}

func (w *watch) start(socket net.Conn) {
	s, ok := socket.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return
	}
	w.raw = raw
	w.poll = func(fd uintptr) {
		w.fds[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		n, err := unix.Poll(w.fds[:], 0)
		for errors.Is(err, unix.EINTR) {
			n, err = unix.Poll(w.fds[:], 0)
		}
		w.quiet = n == 0 && err == nil
	}
}

// silent reports whether the socket has nothing to read: no unsolicited bytes, and it is not closed.
func (w *watch) silent() bool {
	if w.raw == nil {
		return true
	}
	w.quiet = false
	return w.raw.Control(w.poll) == nil && w.quiet
}
