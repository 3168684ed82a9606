package poller

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller waits for many sockets. It is an epoll set that Go's own poller waits for, so that no thread is blocked.
type Poller struct {
	file   *os.File
	raw    syscall.RawConn
	fd     int
	events [256]syscall.EpollEvent
}

// New returns a Poller, or errors.ErrUnsupported on other systems.
func New() (*Poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	_ = syscall.SetNonblock(fd, true) // os.NewFile passes only non-blocking files to Go's poller
	p := &Poller{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

// Add adds fd, which Wait reports once, with mark, unless fd is removed or closed first. If fd has unread bytes already, the
// next Wait reports it.
func (p *Poller) Add(fd, mark int32) error {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: fd, Pad: mark}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, int(fd), &event))
}

// Remove removes fd, which must be open.
func (p *Poller) Remove(fd int32) { _ = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_DEL, int(fd), nil) }

// Wait blocks until sockets have bytes or have ended, and calls f for each. ended says that the peer has closed, or that the
// connection failed; there may still be unread bytes. Wait returns an error once the poller is closed. Only one goroutine may
// call it.
func (p *Poller) Wait(f func(fd, mark int32, ended bool)) error {
	var n int
	var failure error
	err := p.raw.Read(func(fd uintptr) bool {
		for {
			n, failure = syscall.EpollWait(int(fd), p.events[:], 0)
			if !errors.Is(failure, syscall.EINTR) {
				return n > 0 || failure != nil
			}
		}
	})
	if err = errors.Join(err, failure); err != nil {
		return err
	}
	for _, e := range p.events[:n] {
		f(e.Fd, e.Pad, e.Events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0)
	}
	return nil
}

// Close ends Wait.
func (p *Poller) Close() { _ = p.file.Close() }

// Unread reports whether a socket whose peer has closed still has unread bytes. fd must be open.
func Unread(fd int32) bool {
	var b [1]byte
	n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == nil && n > 0
}

// Writable reports whether a socket accepts bytes without blocking. fd must be open.
func Writable(fd int32) bool {
	fds := []unix.PollFd{{Fd: fd, Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents == unix.POLLOUT
}
