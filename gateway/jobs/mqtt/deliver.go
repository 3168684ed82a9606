package mqtt

import (
	"time"

	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/packet"
)

// deliver sends a client notices of what has changed for its thing since the last ones. If its turn is taken, the holder
// does that at the end of the turn.
func (s *Server) deliver(c *conn) {
	defer s.recover(c)
	c.queued.Store(false)
	if !c.turn.TryLock() {
		return
	}
	defer c.release()
	c.dirty.Store(false)
	if c.closed.Load() {
		return
	}
	out := buffers.Get().(*[]byte)
	defer keep(out)
	w := writer{conn: c, out: (*out)[:0], now: time.Now()}
	for _, n := range c.due() {
		c.notify(n, &w)
	}
	*out = w.flush()
	if w.err != nil {
		c.end(w.err)
	}
}

// due returns the notices that can be sent; one already in flight is not among them.
func (c *conn) due() (list []notice) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return nil
	}
	for _, n := range s.notices {
		if n.id == 0 {
			list = append(list, n)
		}
	}
	return list
}

// notify sends a notice if its content has changed. If that cannot be read or rendered now, it is retried later.
func (c *conn) notify(n notice, w *writer) {
	s := c.session
	p, err := c.server.dispatcher.Pending(s.thing, n.namespace, nil)
	mark := p.Set
	if n.next {
		mark = p.Next
	}
	if err == nil && mark == n.known && !n.again {
		return
	}
	if n.qos == 1 && len(c.unacked) >= int(c.window) {
		return // retried at the next acknowledgement
	}
	scratch := buffers.Get().(*[]byte)
	defer keep(scratch)
	m := packet.Publish{QoS: n.qos, Topic: dispatch.AppendTopic((*scratch)[:0], dispatch.DefaultPrefix, s.thing, n.topic())}
	begin, b := len(m.Topic), m.Topic
	switch {
	case err != nil:
	case n.next:
		b, mark, err = c.server.dispatcher.AppendNext(b, s.thing, w.now, c.room(&m))
	default:
		b = c.server.dispatcher.AppendNotify(b, &p, w.now)
	}
	if err != nil {
		c.later()
		return
	}
	*scratch = b
	m.Topic, m.Payload = b[:begin], b[begin:]
	var id uint16
	if c.maxPacket == 0 || packet.PublishSize(c.version, &m, len(m.Payload)) <= int(c.maxPacket) {
		id = w.publish(&m)
	}
	c.noteSent(n, mark, id)
}

// noteSent records that a notice was sent.
func (c *conn) noteSent(n notice, mark dispatch.Mark, id uint16) {
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return
	}
	for i := range s.notices {
		if known := &s.notices[i]; known.next == n.next && known.namespace == n.namespace {
			known.again, known.sent, known.id = false, mark, id
			if id == 0 {
				known.known = mark
			}
		}
	}
}

// notifyAgain is the pause before a failed notice is retried.
const notifyAgain = 5 * time.Second

func (c *conn) later() {
	time.AfterFunc(notifyAgain, func() {
		if !c.closed.Load() {
			c.touch()
		}
	})
}

// touch records that the pending executions of the client's thing may have changed.
func (c *conn) touch() {
	c.dirty.Store(true)
	c.server.enqueue(c)
}
