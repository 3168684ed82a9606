//go:build !linux

package poller

import "errors"

// Poller is for Linux. On other systems each connection has a goroutine.
type Poller struct{}

// New returns errors.ErrUnsupported.
func New() (*Poller, error) { return nil, errors.ErrUnsupported }

// Add returns errors.ErrUnsupported.
func (*Poller) Add(fd, mark int32) error { return errors.ErrUnsupported }

// Remove does nothing.
func (*Poller) Remove(int32) {}

// Wait returns errors.ErrUnsupported.
func (*Poller) Wait(func(fd, mark int32, ended bool)) error { return errors.ErrUnsupported }

// Close does nothing.
func (*Poller) Close() {}

// Unread returns true without asking the system.
func Unread(int32) bool { return true }

// Writable returns true without asking the system.
func Writable(int32) bool { return true }
