package load

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// A target that closes idle connections, as the gateway does, also closes connections
// opened before the load, even without a request. This counts as a reconnect.
func TestIdleConnectionsAreReopened(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn) {
		buf := make([]byte, 4096)
		for {
			if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				return
			}
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")); err != nil {
				return
			}
		}
	})
	// On a busy machine a request may cross the target's close.
	retryRounds(t, func() error {
		p := openPlan(t, url, 20, 1500*time.Millisecond)
		p.Connections = 20
		res := mustRun(t, p)
		if c := res.Counts; c.Failed != 0 || c.Reconnects < 10 {
			return fmt.Errorf("%d failed, %d reconnects, want none and most of %d: %v", c.Failed, c.Reconnects, c.Intended, res.Errors)
		}
		return nil
	})
}

// The error of a failed handshake is one line with one cause.
func TestHandshakeTimeoutIsOneLine(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(net.Conn) { time.Sleep(time.Second) })
	p := openPlan(t, "https"+strings.TrimPrefix(url, "http"), 10, time.Second)
	p.Timeout = 200 * time.Millisecond
	_, err := play(t, p)
	errIs(t, err, ErrUnreachable)
	if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "use of closed")) {
		t.Errorf("the error is %q, want one cause", err)
	}
}
