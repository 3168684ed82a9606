package edge

import (
	"context"
	"log/slog"
	"time"

	"jobgate/gateway/edge/tlsserver"
)

// handshakeFailed counts and logs a failed handshake: a few a second as warnings, the rest at level debug. A client that only
// connects and disconnects, such as a scanner or a health check, is no reason for a warning.
func (l *Listener) handshakeFailed(c *Conn, err error) {
	reason := tlsserver.Reason(err)
	l.Metrics.handshakeFailed(l.Name, reason)
	level := slog.LevelDebug
	if reason != tlsserver.ReasonClosed && l.warnings.Allow(time.Now()) {
		level = slog.LevelWarn
	}
	l.Log.Log(context.Background(), level, "a TLS handshake failed", "listener", l.Name, "peer", c.RemoteAddr().String(), "reason", reason, "error", err)
}
