package process

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// SpareFiles is how many descriptors are not idle connections, on either side of many.
const SpareFiles = 100

// RaiseFiles lets this process and those that it starts open n files each, as far as
// the machine allows, and returns how many it allows.
func RaiseFiles(n uint64) (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("cannot ask for the limit of open files: %w", err)
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

// perAddress is how many connections come from one source address, which has some 28,000 ports.
const perAddress = 20000

// Source is the address that the i-th of many connections comes from.
func Source(i int) net.IP { return net.IPv4(127, 0, 1, byte(1+i/perAddress)) }

// PortAtConnect lets the kernel choose the port of a socket when it knows the target (ip(7), IP_BIND_ADDRESS_NO_PORT): one
// that was used for another server lately may then serve again.
func PortAtConnect(fd int) error {
	const ipBindAddressNoPort = 24 // Linux; package syscall lacks it
	return syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1)
}

// FromSource is a dialer for the i-th of many connections.
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
