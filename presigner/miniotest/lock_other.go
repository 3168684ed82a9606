//go:build !unix

package miniotest

import "errors"

// lockFile does nothing here: concurrent test processes each build their own.
func lockFile(string) (unlock func(), err error) { return func() {}, nil }

// tryLockFile fails here: old data folders are not removed.
func tryLockFile(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }
