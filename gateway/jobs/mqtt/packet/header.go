package packet

// Type is a kind of packet (5 §2.1.2).
type Type uint8

// The kinds of packets.
const (
	CONNECT     Type = 1
	CONNACK     Type = 2
	PUBLISH     Type = 3
	PUBACK      Type = 4
	PUBREC      Type = 5
	PUBREL      Type = 6
	PUBCOMP     Type = 7
	SUBSCRIBE   Type = 8
	SUBACK      Type = 9
	UNSUBSCRIBE Type = 10
	UNSUBACK    Type = 11
	PINGREQ     Type = 12
	PINGRESP    Type = 13
	DISCONNECT  Type = 14
	AUTH        Type = 15
)

// Version is a version of the protocol, with its number in CONNECT.
type Version uint8

// The supported versions.
const (
	V311 Version = 4
	V5   Version = 5
)

// flagsOf are the flags that a type must have (5 §2.1.3); anyFlags for PUBLISH, which uses them.
var flagsOf = [16]uint8{PUBLISH: anyFlags, PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}

const anyFlags = 0xff

// MaxLength is the longest body that a packet can have, in bytes (5 §2.1.4).
const MaxLength = 268435455

// Packet is one framed packet.
type Packet struct {
	Type  Type
	Flags uint8
	Body  []byte // the bytes after the remaining length, in the buffer
}

// Split returns the first packet of b and its length in bytes. n is 0 while b holds only a part of it. A packet longer than
// limit bytes, header included, is refused as soon as its length is known; 0: no limit.
func Split(b []byte, limit int) (p Packet, n int, err error) {
	if len(b) == 0 {
		return p, 0, nil
	}
	p.Type, p.Flags = Type(b[0]>>4), b[0]&0x0f
	if p.Type == 0 || flagsOf[p.Type] != anyFlags && flagsOf[p.Type] != p.Flags {
		return p, 0, errFlags
	}
	length, size, err := varint(b[1:])
	if err != nil || size == 0 {
		return p, 0, err
	}
	total := 1 + size + int(length)
	if limit > 0 && total > limit {
		return p, 0, errTooLarge
	}
	if len(b) < total {
		return p, 0, nil
	}
	p.Body = b[1+size : total : total]
	return p, total, nil
}

// varint reads a variable byte integer (5 §1.5.5). size is 0 if b ends within it.
func varint(b []byte) (v uint32, size int, err error) {
	for i := range 4 {
		if i == len(b) {
			return 0, 0, nil
		}
		v |= uint32(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			if i > 0 && b[i] == 0 { // not the shortest form
				return 0, 0, errVarint
			}
			return v, i + 1, nil
		}
	}
	return 0, 0, errVarint
}

// appendVarint appends v, at most MaxLength.
func appendVarint(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func varintSize(v int) int {
	switch {
	case v < 1<<7:
		return 1
	case v < 1<<14:
		return 2
	case v < 1<<21:
		return 3
	}
	return 4
}

// appendHeader appends the fixed header of a packet whose body has n bytes.
func appendHeader(dst []byte, t Type, flags uint8, n int) []byte {
	return appendVarint(append(dst, byte(t)<<4|flags), uint32(n))
}

func appendUint16(dst []byte, v uint16) []byte { return append(dst, byte(v>>8), byte(v)) }

func appendUint32(dst []byte, v uint32) []byte {
	return append(dst, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// appendText appends s, at most 65535 bytes, with its length.
func appendText(dst, s []byte) []byte { return append(appendUint16(dst, uint16(len(s))), s...) }

// AppendPingreq appends a PINGREQ (5 §3.12).
func AppendPingreq(dst []byte) []byte { return append(dst, byte(PINGREQ)<<4, 0) }

// AppendPingresp appends a PINGRESP (5 §3.13).
func AppendPingresp(dst []byte) []byte { return append(dst, byte(PINGRESP)<<4, 0) }
