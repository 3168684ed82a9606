package mqtt

import (
	"context"
	"time"

	"jobgate/gateway/jobs/mqtt/packet"
)

// sweepEvery is how often it is looked for connections and sessions whose time is over.
const sweepEvery = time.Second

// sweep ends connections whose clients have been silent for too long or whose certificates have ended, and sessions that
// have expired, until ctx ends.
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
			if reason := c.over(now); reason != packet.Success {
				s.background(func() { c.kick(reason) })
			}
		})
		s.sessions.sweep(i, now)
	}
}

// over says why a connection's time is over; Success if it is not.
func (c *conn) over(now time.Time) packet.Reason {
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
