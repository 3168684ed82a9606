package packet

// Puback is a PUBACK (5 §3.4); MQTT 3.1.1 has no reason.
type Puback struct {
	ID     uint16
	Reason Reason
}

// AppendPuback appends a.
func AppendPuback(dst []byte, v Version, a Puback) []byte {
	if v != V5 || a.Reason == Success {
		return appendUint16(appendHeader(dst, PUBACK, 0, 2), a.ID)
	}
	return append(appendUint16(appendHeader(dst, PUBACK, 0, 3), a.ID), byte(a.Reason))
}

// ParsePuback reads the body of a PUBACK.
func ParsePuback(body []byte, v Version) (Puback, error) {
	r := reader{b: body}
	a := Puback{ID: r.uint16()}
	if v == V5 && len(r.b) > 0 {
		a.Reason = Reason(r.byte())
		r.rest(PUBACK)
	}
	if err := r.end(); err != nil {
		return a, err
	}
	if a.ID == 0 {
		return a, errPacketID
	}
	return a, nil
}

// rest reads the optional properties after the reason of a packet.
func (r *reader) rest(t Type) {
	if len(r.b) > 0 {
		var p Properties
		r.properties(&p, in(t))
	}
}

// Disconnect is a DISCONNECT (5 §3.14); MQTT 3.1.1 has neither reason nor properties.
type Disconnect struct {
	Reason     Reason
	Properties Properties
}

// AppendDisconnect appends a DISCONNECT with a reason.
func AppendDisconnect(dst []byte, v Version, d *Disconnect) []byte {
	size := d.Properties.size()
	switch {
	case v != V5 || d.Reason == Success && size == 0:
		return appendHeader(dst, DISCONNECT, 0, 0)
	case size == 0:
		return append(appendHeader(dst, DISCONNECT, 0, 1), byte(d.Reason))
	}
	dst = append(appendHeader(dst, DISCONNECT, 0, 1+varintSize(size)+size), byte(d.Reason))
	return d.Properties.appendTo(dst, size)
}

// ParseDisconnect reads the body of a DISCONNECT into d.
func ParseDisconnect(body []byte, v Version, d *Disconnect) error {
	*d = Disconnect{}
	r := reader{b: body}
	if v == V5 && len(r.b) > 0 {
		d.Reason = Reason(r.byte())
		if len(r.b) > 0 {
			r.properties(&d.Properties, in(DISCONNECT))
		}
	}
	return r.end()
}

// AppendSuback appends a SUBACK (5 §3.9) with a reason for each filter of the SUBSCRIBE; a refusal is 0x80 in MQTT 3.1.1.
func AppendSuback(dst []byte, v Version, id uint16, reasons []Reason) []byte {
	return appendReasons(dst, SUBACK, v, id, reasons)
}

// AppendUnsuback appends an UNSUBACK (5 §3.11); the reasons are left out in MQTT 3.1.1.
func AppendUnsuback(dst []byte, v Version, id uint16, reasons []Reason) []byte {
	if v != V5 {
		return appendUint16(appendHeader(dst, UNSUBACK, 0, 2), id)
	}
	return appendReasons(dst, UNSUBACK, v, id, reasons)
}

func appendReasons(dst []byte, t Type, v Version, id uint16, reasons []Reason) []byte {
	n := 2 + len(reasons)
	if v == V5 {
		n++
	}
	dst = appendUint16(appendHeader(dst, t, 0, n), id)
	if v == V5 {
		dst = append(dst, 0)
	}
	for _, r := range reasons {
		if v != V5 && r > UnspecifiedError {
			r = UnspecifiedError
		}
		dst = append(dst, byte(r))
	}
	return dst
}

// ParseSuback reads the body of a SUBACK, or of an UNSUBACK of MQTT 5: the packet identifier, and a reason a byte.
func ParseSuback(p Packet, v Version) (id uint16, reasons []byte, err error) {
	r := reader{b: p.Body}
	id = r.uint16()
	if v == V5 {
		var properties Properties
		r.properties(&properties, in(p.Type))
	}
	reasons = r.b
	if r.err != nil {
		return 0, nil, r.err
	}
	if id == 0 {
		return 0, nil, errPacketID
	}
	return id, reasons, nil
}
