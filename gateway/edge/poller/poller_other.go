//go:build !linux

package poller

import "errors"

// Poller is for Linux. Elsewhere a goroutine waits for each connection.
type Poller struct{}

// New returns a Poller, or errors.ErrUnsupported where the system has none.
func New() (*Poller, error) { return nil, errors.ErrUnsupported }

// Add returns errors.ErrUnsupported.
func (*Poller) Add(fd, mark int32) error { return errors.ErrUnsupported }

// Remove does nothing.
func (*Poller) Remove(int32) {}

// Wait returns errors.ErrUnsupported.
func (*Poller) Wait(func(fd, mark int32, ended bool)) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Poller) Close() {}

// Unread says true: the system is not asked.
func Unread(int32) bool { return true }

// Writable says true: the system is not asked.
func Writable(int32) bool { return true }
