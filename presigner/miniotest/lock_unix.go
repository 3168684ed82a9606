//go:build unix

package miniotest

import (
	"errors"
	"os"
	"syscall"
)

// lockFile waits for the exclusive lock of the file at path, which it creates if necessary.
// The lock ends with unlock, or with the process.
func lockFile(path string) (unlock func(), err error) {
	return flock(path, syscall.LOCK_EX)
}

// tryLockFile is [lockFile], but fails at once if the lock is held elsewhere.
func tryLockFile(path string) (unlock func(), err error) {
	return flock(path, syscall.LOCK_EX|syscall.LOCK_NB)
}

func flock(path string, how int) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "flock", Path: path, Err: err}
	}
	return func() { _ = f.Close() }, nil
}
