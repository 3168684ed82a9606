//go:build unix && !linux

package load

import "syscall"

func write(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

func read(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }
