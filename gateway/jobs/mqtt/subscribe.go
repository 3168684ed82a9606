package mqtt

import (
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/packet"
)

// subscribe answers SUBSCRIBE: filters within the thing's jobs are granted, with at most QoS 1.
func (c *conn) subscribe(p packet.Packet, w *writer) error {
	var m packet.Subscribe
	if err := packet.ParseSubscribe(p, c.version, &m); err != nil {
		return err
	}
	if m.Properties.Has(packet.SubscriptionID) {
		return &packet.Error{Reason: packet.SubscriptionIDs, Text: "subscription identifiers are not served"}
	}
	var room [16]packet.Reason
	reasons := room[:0]
	s := c.session
	s.mu.Lock()
	if s.conn != c {
		s.mu.Unlock()
		return errTakenOver
	}
	for one, ok := m.Next(); ok; one, ok = m.Next() {
		reason := c.grant(&one)
		if reason > packet.GrantedQoS1 {
			c.server.refuse(reason)
		}
		reasons = append(reasons, reason)
	}
	fresh := s.settle()
	s.mu.Unlock()
	if fresh {
		c.readPending()
	}
	w.out = packet.AppendSuback(w.out, c.version, m.ID, reasons)
	w.more()
	return w.err
}

// errTakenOver ends a connection whose client id has a newer one.
var errTakenOver = &packet.Error{Reason: packet.SessionTakenOver, Text: "the session was taken over"}

// grant handles one subscription. c.session.mu is held.
func (c *conn) grant(one *packet.Subscription) packet.Reason {
	switch {
	case packet.Shared(one.Filter):
		return packet.SharedNotSupported
	case !dispatch.OwnFilter(dispatch.DefaultPrefix, c.session.thing, one.Filter):
		return packet.NotAuthorized
	}
	qos := min(one.QoS, 1)
	if !c.session.subscribe(c.afterThing(one.Filter), qos) {
		return packet.QuotaExceeded
	}
	return packet.Reason(qos)
}

// afterThing returns the part of the thing's own topic or filter after its name.
func (c *conn) afterThing(topic []byte) []byte {
	return topic[len(dispatch.DefaultPrefix)+len("/things/")+len(c.session.thing)+1:]
}

func (c *conn) unsubscribe(p packet.Packet, w *writer) error {
	var m packet.Subscribe
	if err := packet.ParseSubscribe(p, c.version, &m); err != nil {
		return err
	}
	var room [16]packet.Reason
	reasons := room[:0]
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return errTakenOver
	}
	for one, ok := m.Next(); ok; one, ok = m.Next() {
		reason := packet.NoSubscriptionExisted
		if dispatch.OwnFilter(dispatch.DefaultPrefix, s.thing, one.Filter) && s.unsubscribe(c.afterThing(one.Filter)) {
			reason = packet.Success
		}
		reasons = append(reasons, reason)
	}
	s.settle()
	w.out = packet.AppendUnsuback(w.out, c.version, m.ID, reasons)
	return nil
}

// readPending reads the executions that are pending when the device subscribes. The device requests those itself; notices
// are for later changes. c.turn is held.
func (c *conn) readPending() {
	s := c.session
	for {
		s.mu.Lock()
		var namespace string
		missing := false
		for i := range s.notices {
			if s.notices[i].fresh {
				namespace, missing = s.notices[i].namespace, true
				break
			}
		}
		s.mu.Unlock()
		if !missing {
			return
		}
		p, err := c.server.dispatcher.Pending(s.thing, namespace, nil)
		if err != nil {
			p = dispatch.Pending{} // treated as nothing pending: at worst a needless notice
		}
		s.mu.Lock()
		for i := range s.notices {
			if n := &s.notices[i]; n.fresh && n.namespace == namespace {
				n.fresh, n.known = false, p.Set
				if n.next {
					n.known = p.Next
				}
			}
		}
		s.mu.Unlock()
	}
}
