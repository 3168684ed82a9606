//go:build !unix

package proxy

import "net"

// watch cannot check an idle connection on this system. If the upstream has closed it, its next use fails.
type watch struct{}

func (*watch) start(net.Conn) {}

func (*watch) silent() bool { return true }
