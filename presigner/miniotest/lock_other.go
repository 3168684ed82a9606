//go:build !unix

package miniotest

import "errors"

// lockFile does nothing here: test processes that build at the same time build twice.
func lockFile(string) (unlock func(), err error) { return func() {}, nil }

// tryLockFile fails here: left-over data folders stay.
func tryLockFile(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }
