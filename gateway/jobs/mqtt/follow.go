package mqtt

import (
	"context"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/packet"
)

// followBuffer bounds the changes waiting to be handled. Beyond it, every device is checked.
const followBuffer = 16384

// follow marks the devices whose pending executions may have changed, until ctx ends.
func (s *Server) follow(ctx context.Context, events *jobs.Subscription) {
	defer events.Close()
	var conns []*conn
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return
		}
		if e.Missed > 0 || events.Missed() > 0 {
			s.touchAll()
		}
		switch e.Type {
		case jobs.EventExecution, jobs.EventExecutionGone:
			conns = s.sessions.connected(conns[:0], e.Thing)
			for _, c := range conns {
				c.touch()
			}
			clear(conns)
		case jobs.EventThingDeleted:
			for _, c := range s.sessions.forget(e.Thing) {
				s.background(func() { c.kick(packet.NotAuthorized) })
			}
		case jobs.EventJobUpdated, jobs.EventJobCanceling, jobs.EventJobCanceled, jobs.EventJobDeleting, jobs.EventJobDeleted:
			s.touchAll() // the job may have opened or closed for all of its things
		}
	}
}

// wanted selects the changes that can matter to devices; it runs on the publisher's goroutine.
func wanted(e *jobs.Event) bool {
	switch e.Type {
	case jobs.EventJobCreated, jobs.EventJobProgress, jobs.EventJobCompleted:
		return false
	}
	return true
}

// touchAll marks all connections.
func (s *Server) touchAll() {
	s.each(func(c *conn) {
		if c.begun.Load() {
			c.touch()
		}
	})
}
