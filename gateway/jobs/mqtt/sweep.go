package mqtt

import (
	"context"
	"time"

	"jobgate/gateway/jobs/mqtt/packet"
)

// sweepEvery is how often connections and sessions are checked for expiry.
const sweepEvery = time.Second

// sweep closes connections that were silent for too long or whose certificates have expired, and drops expired sessions,
// until ctx ends.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		s.each(func(c *conn) {
			if reason := c.expired(now); reason != packet.Success {
				s.background(func() { c.kick(reason) })
			}
		})
		s.sessions.sweep(i, now)
	}
}

// expired returns the reason why a connection has expired; Success if it has not.
func (c *conn) expired(now time.Time) packet.Reason {
	switch {
	case !c.begun.Load():
		return packet.Success // CONNECT has a deadline
	case c.certificate != 0 && now.Unix() > c.certificate:
		return packet.NotAuthorized
	case now.Unix()-c.seen.Load() > int64(c.idle):
		return packet.KeepAliveTimeout
	}
	return packet.Success
}
