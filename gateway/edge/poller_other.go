//go:build !linux

package edge

import "errors"

// poller is for Linux. Elsewhere a goroutine waits for each connection.
type poller struct{}

func newPoller() (*poller, error) { return nil, errors.ErrUnsupported }

func (*poller) add(fd, mark int32) error                    { return errors.ErrUnsupported }
func (*poller) remove(int32)                                {}
func (*poller) wait(func(fd, mark int32, ended bool)) error { return errors.ErrUnsupported }
func (*poller) close()                                      {}

func unread(int32) bool { return true }

func writable(int32) bool { return true }
