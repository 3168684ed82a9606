package process

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// SpareFiles is the number of file descriptors reserved for other uses than idle connections, in client and server.
const SpareFiles = 100

// RaiseFiles raises the limit on open files of this process and its children to n, as far
// as the machine allows, and returns the limit.
func RaiseFiles(n uint64) (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("cannot get the limit of open files: %w", err)
	}
	want := syscall.Rlimit{Cur: max(n, limit.Max), Max: max(n, limit.Max)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want); err != nil { // only root may raise the maximum
		want = syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want); err != nil {
			return 0, fmt.Errorf("cannot raise the limit of open files: %w", err)
		}
	}
	return want.Cur, nil
}

// perAddress is the number of connections from one source address, which has about 28,000 ports.
const perAddress = 20000

// Source returns the source address of the i-th of many connections.
func Source(i int) net.IP { return net.IPv4(127, 0, 1, byte(1+i/perAddress)) }

// PortAtConnect lets the kernel choose a socket's port only when it connects (ip(7), IP_BIND_ADDRESS_NO_PORT), so that it
// can reuse ports recently used for other servers.
func PortAtConnect(fd int) error {
	const ipBindAddressNoPort = 24 // Linux; not in package syscall
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
}

// FromSource returns a dialer for the i-th of many connections.
func FromSource(i int) *net.Dialer {
	return &net.Dialer{
		Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: Source(i)}, KeepAlive: -1,
		Control: func(_, _ string, c syscall.RawConn) error {
			var set error
			err := c.Control(func(fd uintptr) { set = PortAtConnect(int(fd)) })
			return errors.Join(err, set)
		},
	}
}
