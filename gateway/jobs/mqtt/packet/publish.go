package packet

// Publish is a PUBLISH (5 §3.3, 3 §3.3).
type Publish struct {
	DUP        bool
	Retain     bool
	QoS        uint8
	ID         uint16 // with QoS 1 and 2
	Topic      []byte
	Payload    []byte
	Properties Properties // MQTT 5
}

// Flags of a PUBLISH.
const (
	publishRetain = 1 << iota
	publishQoS
	_
	publishDUP
)

// ParsePublish reads a PUBLISH into m. The topic may be empty only in MQTT 5, with a topic alias.
func ParsePublish(p Packet, v Version, m *Publish) error {
	*m = Publish{DUP: p.Flags&publishDUP != 0, Retain: p.Flags&publishRetain != 0, QoS: p.Flags / publishQoS & 3}
	switch {
	case m.QoS == 3:
		return errQoS
	case m.QoS == 0 && m.DUP:
		return errDUP
	}
	r := reader{b: p.Body}
	m.Topic = r.text()
	if m.QoS > 0 {
		m.ID = r.uint16()
	}
	if v == V5 {
		r.properties(&m.Properties, in(PUBLISH))
	}
	if r.err != nil {
		return r.err
	}
	m.Payload = r.b
	switch {
	case m.QoS > 0 && m.ID == 0:
		return errPacketID
	case len(m.Topic) == 0 && m.Properties.Has(TopicAlias):
		return nil
	case !ValidTopic(m.Topic):
		return errTopic
	}
	return nil
}

// PublishUserProperty returns the value of the first user property with a name in a PUBLISH of MQTT 5 that ParsePublish
// has accepted; nil if there is none. It refers to the packet's buffer.
func PublishUserProperty(p Packet, name string) []byte {
	r := reader{b: p.Body}
	r.text()
	if p.Flags/publishQoS&3 > 0 {
		r.uint16()
	}
	var others Properties
	for inside := (reader{b: r.take(int(r.varint()))}); len(inside.b) > 0 && inside.err == nil; {
		if inside.b[0] != byte(UserProperty) {
			inside.property(&others, in(PUBLISH))
			continue
		}
		inside.take(1)
		key, value := inside.text(), inside.text()
		if string(key) == name && inside.err == nil {
			return value
		}
	}
	return nil
}

// AppendPublish appends m.
func AppendPublish(dst []byte, v Version, m *Publish) []byte {
	size := 0
	if v == V5 {
		size = m.Properties.size()
	}
	dst = appendPublishHeader(dst, v, m, size, len(m.Payload))
	return append(dst, m.Payload...)
}

// PublishSize returns the bytes that AppendPublish appends for m with a payload of n bytes instead of its own.
func PublishSize(v Version, m *Publish, n int) int {
	size := 0
	if v == V5 {
		size = m.Properties.size()
	}
	n = publishBody(v, m, size, n)
	return 1 + varintSize(n) + n
}

func publishBody(v Version, m *Publish, size, payload int) int {
	n := 2 + len(m.Topic) + payload
	if m.QoS > 0 {
		n += 2
	}
	if v == V5 {
		n += varintSize(size) + size
	}
	return n
}

// appendPublishHeader appends everything except the payload, whose length is payload.
func appendPublishHeader(dst []byte, v Version, m *Publish, size, payload int) []byte {
	flags := m.QoS * publishQoS
	if m.DUP {
		flags |= publishDUP
	}
	if m.Retain {
		flags |= publishRetain
	}
	dst = appendHeader(dst, PUBLISH, flags, publishBody(v, m, size, payload))
	dst = appendText(dst, m.Topic)
	if m.QoS > 0 {
		dst = appendUint16(dst, m.ID)
	}
	if v == V5 {
		dst = m.Properties.appendTo(dst, size)
	}
	return dst
}
