//go:build !unix

package socket

import (
	"net"
	"os"
)

// Exchange is for Unix only; elsewhere requests are written and answers read.
type Exchange struct{}

// NewExchange returns nil.
func NewExchange(net.Conn) *Exchange { return nil }

// Do is never called.
func (*Exchange) Do(_, _ []byte) (sent, n int, err error) { return 0, 0, nil }

// Peekable returns nc.
func Peekable(nc net.Conn) net.Conn { return nc }

// ReadAvailable finds nothing.
func ReadAvailable(net.Conn, *Exchange, []byte) (int, error) { return 0, os.ErrDeadlineExceeded }
