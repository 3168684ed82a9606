package mqtt

import (
	"time"

	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/packet"
)

// deliver tells a client what has changed for its thing since it was last told. If its turn is taken, whoever has it sees
// to that afterwards.
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
		c.tell(n, &w)
	}
	*out = w.flush()
	if w.err != nil {
		c.end(w.err)
	}
}

// due returns the notices that the client can be told; one that is on its way already is not among them.
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

// tell sends a notice if what it tells of has changed. What cannot be asked or rendered now is tried again later.
func (c *conn) tell(n notice, w *writer) {
	s := c.session
	p, err := c.server.dispatcher.Pending(s.thing, n.namespace, nil)
	mark := p.Set
	if n.next {
		mark = p.Next
	}
	if err == nil && mark == n.told && !n.again {
		return
	}
	if n.qos == 1 && len(c.unacked) >= int(c.window) {
		return // the next acknowledgement looks again
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
	c.told(n, mark, id)
}

// told remembers that a notice was sent.
func (c *conn) told(n notice, mark dispatch.Mark, id uint16) {
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
				known.told = mark
			}
		}
	}
}

// tellAgain is how long a notice waits that could not be made.
const tellAgain = 5 * time.Second

func (c *conn) later() {
	time.AfterFunc(tellAgain, func() {
		if !c.closed.Load() {
			c.touch()
		}
	})
}

// touch marks that what is pending for the client's thing may have changed.
func (c *conn) touch() {
	c.dirty.Store(true)
	c.server.enqueue(c)
}
