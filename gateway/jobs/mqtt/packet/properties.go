package packet

import "math/bits"

// Property is the identifier of a property of MQTT 5 (5 §2.2.2.2).
type Property uint8

// The properties.
const (
	PayloadFormat        Property = 0x01
	MessageExpiry        Property = 0x02
	ContentType          Property = 0x03
	ResponseTopic        Property = 0x08
	CorrelationData      Property = 0x09
	SubscriptionID       Property = 0x0B
	SessionExpiry        Property = 0x11
	AssignedClientID     Property = 0x12
	ServerKeepAlive      Property = 0x13
	AuthenticationMethod Property = 0x15
	AuthenticationData   Property = 0x16
	RequestProblem       Property = 0x17
	WillDelay            Property = 0x18
	RequestResponse      Property = 0x19
	ResponseInformation  Property = 0x1A
	ServerReference      Property = 0x1C
	ReasonString         Property = 0x1F
	ReceiveMaximum       Property = 0x21
	TopicAliasMaximum    Property = 0x22
	TopicAlias           Property = 0x23
	MaximumQoS           Property = 0x24
	RetainAvailable      Property = 0x25
	UserProperty         Property = 0x26
	MaximumPacketSize    Property = 0x27
	WildcardAvailable    Property = 0x28
	SubscriptionIDs5     Property = 0x29
	SharedAvailable      Property = 0x2A

	propertyEnd = 0x2B
)

// kind is the encoding of a property's value.
type kind uint8

const (
	kindNone   kind = iota // not a property
	kindFlag               // one byte, 0 or 1
	kindByte               // one byte
	kindUint16             // two bytes
	kindUint32             // four bytes
	kindVarint             // a variable byte integer
	kindText               // a string
	kindData               // binary data
	kindPair               // two strings
)

// Where properties are allowed: in packets of a type, or in a CONNECT's will.
const inWill = 1 << 0

func in(types ...Type) (set uint16) {
	for _, t := range types {
		set |= 1 << t
	}
	return set
}

// rule describes a property. Its number or text has a slot in Properties.
type rule struct {
	kind    kind
	nonZero bool   // 0 is a protocol error
	where   uint16 // the packets that may have it
	slot    uint8
}

const (
	numberSlots = 17
	textSlots   = 9
)

var rules = [propertyEnd]rule{
	PayloadFormat:        {kind: kindFlag, where: in(PUBLISH) | inWill, slot: 0},
	MessageExpiry:        {kind: kindUint32, where: in(PUBLISH) | inWill, slot: 1},
	SubscriptionID:       {kind: kindVarint, nonZero: true, where: in(PUBLISH, SUBSCRIBE), slot: 2},
	SessionExpiry:        {kind: kindUint32, where: in(CONNECT, CONNACK, DISCONNECT), slot: 3},
	ServerKeepAlive:      {kind: kindUint16, where: in(CONNACK), slot: 4},
	RequestProblem:       {kind: kindFlag, where: in(CONNECT), slot: 5},
	WillDelay:            {kind: kindUint32, where: inWill, slot: 6},
	RequestResponse:      {kind: kindFlag, where: in(CONNECT), slot: 7},
	ReceiveMaximum:       {kind: kindUint16, nonZero: true, where: in(CONNECT, CONNACK), slot: 8},
	TopicAliasMaximum:    {kind: kindUint16, where: in(CONNECT, CONNACK), slot: 9},
	TopicAlias:           {kind: kindUint16, where: in(PUBLISH), slot: 10},
	MaximumQoS:           {kind: kindFlag, where: in(CONNACK), slot: 11},
	RetainAvailable:      {kind: kindFlag, where: in(CONNACK), slot: 12},
	MaximumPacketSize:    {kind: kindUint32, nonZero: true, where: in(CONNECT, CONNACK), slot: 13},
	WildcardAvailable:    {kind: kindFlag, where: in(CONNACK), slot: 14},
	SubscriptionIDs5:     {kind: kindFlag, where: in(CONNACK), slot: 15},
	SharedAvailable:      {kind: kindFlag, where: in(CONNACK), slot: 16},
	ContentType:          {kind: kindText, where: in(PUBLISH) | inWill, slot: 0},
	ResponseTopic:        {kind: kindText, where: in(PUBLISH) | inWill, slot: 1},
	CorrelationData:      {kind: kindData, where: in(PUBLISH) | inWill, slot: 2},
	AssignedClientID:     {kind: kindText, where: in(CONNACK), slot: 3},
	AuthenticationMethod: {kind: kindText, where: in(CONNECT, CONNACK, AUTH), slot: 4},
	AuthenticationData:   {kind: kindData, where: in(CONNECT, CONNACK, AUTH), slot: 5},
	ResponseInformation:  {kind: kindText, where: in(CONNACK), slot: 6},
	ServerReference:      {kind: kindText, where: in(CONNACK, DISCONNECT), slot: 7},
	ReasonString:         {kind: kindText, where: in(CONNACK, PUBACK, SUBACK, UNSUBACK, DISCONNECT, AUTH), slot: 8},
	UserProperty:         {kind: kindPair, where: in(CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, DISCONNECT, AUTH) | inWill},
}

// Properties are a packet's properties, except user properties, which are checked and skipped. Of several subscription
// identifiers in a PUBLISH, the last is kept. The zero value is empty; texts refer to the packet's buffer.
type Properties struct {
	set     uint64 // by identifier
	numbers [numberSlots]uint32
	texts   [textSlots][]byte
}

// Has reports whether a property is present.
func (p *Properties) Has(id Property) bool { return p.set&(1<<id) != 0 }

// Number returns the value of a numeric property, or otherwise if it is missing.
func (p *Properties) Number(id Property, otherwise uint32) uint32 {
	if !p.Has(id) {
		return otherwise
	}
	return p.numbers[rules[id].slot]
}

// Text returns the value of a string or binary property, nil if it is missing.
func (p *Properties) Text(id Property) []byte {
	if !p.Has(id) {
		return nil
	}
	return p.texts[rules[id].slot]
}

// SetNumber sets a numeric property.
func (p *Properties) SetNumber(id Property, v uint32) {
	p.set |= 1 << id
	p.numbers[rules[id].slot] = v
}

// SetText sets a string or binary property of at most 65535 bytes.
func (p *Properties) SetText(id Property, v []byte) {
	p.set |= 1 << id
	p.texts[rules[id].slot] = v
}

// properties reads the properties of a packet, their length first, into p. where is its type, or inWill.
func (r *reader) properties(p *Properties, where uint16) {
	n := int(r.varint())
	inside := reader{b: r.take(n), err: r.err}
	for len(inside.b) > 0 && inside.err == nil {
		inside.property(p, where)
	}
	if inside.err != nil {
		r.fail(inside.err)
	}
}

// property reads one property.
func (r *reader) property(p *Properties, where uint16) {
	id := r.varint()
	if id >= propertyEnd || rules[id].where&where == 0 {
		r.fail(errProperty)
		return
	}
	rule := rules[id]
	again := rule.kind == kindPair || Property(id) == SubscriptionID && where == in(PUBLISH)
	if p.Has(Property(id)) && !again {
		r.fail(errTwice)
		return
	}
	var v uint32
	switch rule.kind {
	case kindText:
		p.SetText(Property(id), r.text())
		return
	case kindData:
		p.SetText(Property(id), r.data())
		return
	case kindPair:
		r.text()
		r.text()
		return
	case kindUint16:
		v = uint32(r.uint16())
	case kindUint32:
		v = r.uint32()
	case kindVarint:
		v = r.varint()
	default:
		v = uint32(r.byte())
	}
	if r.err == nil && (rule.nonZero && v == 0 || rule.kind == kindFlag && v > 1) {
		r.fail(errValue)
		return
	}
	p.SetNumber(Property(id), v)
}

// size returns the properties' encoded size in bytes, without their length field.
func (p *Properties) size() (n int) {
	for set := p.set; set != 0; set &= set - 1 {
		rule := &rules[bits.TrailingZeros64(set)]
		n++
		switch rule.kind {
		case kindFlag, kindByte:
			n++
		case kindUint16:
			n += 2
		case kindUint32:
			n += 4
		case kindVarint:
			n += varintSize(int(p.numbers[rule.slot]))
		default:
			n += 2 + len(p.texts[rule.slot])
		}
	}
	return n
}

// appendTo appends the properties, preceded by their length, size.
func (p *Properties) appendTo(dst []byte, size int) []byte {
	dst = appendVarint(dst, uint32(size))
	for set := p.set; set != 0; set &= set - 1 {
		id := bits.TrailingZeros64(set)
		rule := &rules[id]
		dst = append(dst, byte(id))
		v := p.numbers[rule.slot]
		switch rule.kind {
		case kindFlag, kindByte:
			dst = append(dst, byte(v))
		case kindUint16:
			dst = appendUint16(dst, uint16(v))
		case kindUint32:
			dst = appendUint32(dst, v)
		case kindVarint:
			dst = appendVarint(dst, v)
		default:
			dst = appendText(dst, p.texts[rule.slot])
		}
	}
	return dst
}
