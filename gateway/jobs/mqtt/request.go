package mqtt

import (
	"time"

	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/packet"
	"jobgate/gateway/tracing"
)

// packet handles one packet of the client; an error ends the connection. c.turn is held.
func (c *conn) packet(p packet.Packet, w *writer) error {
	switch p.Type {
	case packet.PUBLISH:
		return c.published(p, w)
	case packet.PUBACK:
		return c.puback(p)
	case packet.SUBSCRIBE:
		return c.subscribe(p, w)
	case packet.UNSUBSCRIBE:
		return c.unsubscribe(p, w)
	case packet.PINGREQ:
		if len(p.Body) > 0 {
			return &packet.Error{Reason: packet.MalformedPacket, Text: "a PINGREQ has a body"}
		}
		w.out = packet.AppendPingresp(w.out)
		return nil
	case packet.DISCONNECT:
		return c.disconnected(p)
	}
	return &packet.Error{Reason: packet.ProtocolError, Text: "the client may not send this packet now"}
}

// errBye is the reason of a connection ended by its client.
var errBye = &bye{}

type bye struct{}

func (*bye) Error() string { return "mqtt: the client has disconnected" }

func (c *conn) disconnected(p packet.Packet) error {
	var d packet.Disconnect
	if err := packet.ParseDisconnect(p.Body, c.version, &d); err != nil {
		return err
	}
	if d.Properties.Has(packet.SessionExpiry) {
		s := c.session
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.conn != c {
			return errBye // the session is another connection's
		}
		asked := d.Properties.Number(packet.SessionExpiry, 0)
		if s.expiry == 0 && asked > 0 { // 5 §3.14.2.2.2
			return &packet.Error{Reason: packet.ProtocolError, Text: "the session expiry was 0 in CONNECT and cannot be raised in DISCONNECT"}
		}
		s.expiry = min(asked, uint32(c.server.config.SessionExpiry/time.Second))
	}
	return errBye
}

// published answers a request.
func (c *conn) published(p packet.Packet, w *writer) error {
	var m packet.Publish
	if err := packet.ParsePublish(p, c.version, &m); err != nil {
		return err
	}
	c.server.received.Add(1)
	switch {
	case m.QoS > 1:
		return &packet.Error{Reason: packet.QoSNotSupported, Text: "QoS 2 is not served"}
	case m.Properties.Has(packet.TopicAlias):
		return &packet.Error{Reason: packet.TopicAliasInvalid, Text: "topic aliases are not served"}
	case m.Properties.Has(packet.SubscriptionID):
		return &packet.Error{Reason: packet.ProtocolError, Text: "a client's PUBLISH has a subscription identifier"}
	case len(m.Payload) > c.server.config.MaxPayload:
		return &packet.Error{Reason: packet.PacketTooLarge, Text: "the payload is larger than mqtt.max_payload"}
	}
	topic, ok := dispatch.ParseTopic(dispatch.DefaultPrefix, m.Topic)
	if !ok || string(topic.Thing) != c.session.thing {
		return c.foreign(&m, w)
	}
	r := dispatch.Request{Thing: c.session.thing, Topic: topic, Payload: m.Payload, Now: time.Now()}
	if c.version == packet.V5 && c.server.config.Tracer != nil {
		r.Sender.Parent = string(packet.PublishUserProperty(p, tracing.Parent))
		r.Sender.State = string(packet.PublishUserProperty(p, tracing.State))
	}
	return c.answer(&m, &r, w)
}

// foreign rejects a topic that is not the thing's: with a reason if the version has one, else by closing the connection.
func (c *conn) foreign(m *packet.Publish, w *writer) error {
	c.server.refuse(packet.NotAuthorized)
	if c.version == packet.V5 && m.QoS == 1 {
		w.out = packet.AppendPuback(w.out, c.version, packet.Puback{ID: m.ID, Reason: packet.NotAuthorized})
		return nil
	}
	return &packet.Error{Reason: packet.NotAuthorized, Text: "the client published to a topic that is not its thing's"}
}

// answer executes a request, acknowledges it, and sends the answer, also without a subscription to it.
func (c *conn) answer(m *packet.Publish, r *dispatch.Request, w *writer) error {
	scratch := buffers.Get().(*[]byte)
	defer keep(scratch)
	answer := packet.Publish{Topic: append(append((*scratch)[:0], m.Topic...), "/rejected"...)}
	begin := len(answer.Topic)
	r.Limit = c.room(&answer)
	b, code := c.server.dispatcher.Answer(answer.Topic, r)
	c.server.config.Request(code, time.Since(r.Now))
	*scratch = b
	answer.Topic, answer.Payload = b[:begin], b[begin:]
	if code == dispatch.Accepted {
		copy(answer.Topic[len(m.Topic):], "/accepted")
	}
	if m.QoS == 1 {
		w.out = packet.AppendPuback(w.out, c.version, packet.Puback{ID: m.ID})
	}
	answer.QoS = min(m.QoS, c.granted(answer.Topic))
	if c.maxPacket > 0 && packet.PublishSize(c.version, &answer, len(answer.Payload)) > int(c.maxPacket) {
		return nil // not even the rejection fits
	}
	w.publish(&answer)
	return w.err
}

// granted returns the QoS of the client's subscription to a topic of its own, 0 if it has none.
func (c *conn) granted(topic []byte) uint8 {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	qos, _ := c.session.granted(c.afterThing(topic))
	return qos
}

// puback handles a message's acknowledgement.
func (c *conn) puback(p packet.Packet) error {
	a, err := packet.ParsePuback(p.Body, c.version)
	if err != nil {
		return err
	}
	if !c.acknowledged(a.ID) {
		return nil // late or duplicate: harmless
	}
	s := c.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return nil
	}
	for i := range s.notices {
		if n := &s.notices[i]; n.id == a.ID {
			n.known, n.id = n.sent, 0
			c.dirty.Store(true) // something may have changed since it was sent
		}
	}
	return nil
}
