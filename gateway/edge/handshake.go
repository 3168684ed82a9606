package edge

import (
	"context"
	"log/slog"
	"time"

	"jobgate/gateway/edge/tlsserver"
)

// handshakeFailed counts a failed handshake and logs it: each at level debug, a few a second as a warning. A scanner or a
// health check that connects and goes is no warning.
func (l *Listener) handshakeFailed(c *Conn, err error) {
	reason := tlsserver.Reason(err)
	l.Metrics.handshakeFailed(l.Name, reason)
	level := slog.LevelDebug
	if reason != tlsserver.ReasonClosed && l.warnings.Allow(time.Now()) {
		level = slog.LevelWarn
	}
	l.Log.Log(context.Background(), level, "a TLS handshake failed", "listener", l.Name, "peer", c.RemoteAddr().String(), "reason", reason, "error", err)
}
