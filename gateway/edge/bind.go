package edge

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// bind binds "host:port" or "unix:///path". A Unix socket gets mode 0660. A stale socket of a dead process is replaced; a
// socket that accepts connections is an error.
func bind(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix://")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		_ = conn.Close()
		return nil, errors.New("another process listens there")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		_ = os.Remove(path)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}

// acceptPause is the pause before the next try. Meanwhile connections wait in the kernel's queue.
const acceptPause = 50 * time.Millisecond

// accept returns the next connection of ln. If accepting fails for lack of files or memory, it retries until other
// connections close: an error would stop the server.
func accept(ln net.Listener, log *slog.Logger, limit *LogLimit) (net.Conn, error) {
	for {
		conn, err := ln.Accept()
		if err == nil {
			return conn, nil
		}
		if !outOfResources(err) {
			return nil, err
		}
		if limit.Allow(time.Now()) {
			log.Warn("cannot accept a connection; new ones wait until others close; see limits.max_connections and the limit of open files (ulimit -n)", "error", err)
		}
		time.Sleep(acceptPause)
	}
}

func outOfResources(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
