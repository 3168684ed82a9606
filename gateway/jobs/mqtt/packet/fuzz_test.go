package packet_test

import (
	"bytes"
	"fmt"
	"testing"

	"jobgate/gateway/jobs/mqtt/packet"
)

// FuzzPackets parses bytes as a connection does. A parsed packet, written again, parses to the same.
func FuzzPackets(f *testing.F) {
	for _, line := range []string{
		"100d 0004 'MQTT' 04 02 003c 0001 'a'", "1017 0004 'MQTT' 05 c6 003c 00 0001 'a' 00 0001 't' 0001 'p' 0000 0000",
		"3208 0001 'a' 0001 'hi!'", "3006 0000 03 23 0001", "4003 0001 10", "8206 0001 0001 'a' 01", "8209 0001 02 0b 05 0001 'a' 01",
		"a206 0001 00 0001 'a'", "c000", "e007 00 05 11 00000001", "000161",
	} {
		f.Add(true, raw(f, line))
		f.Add(false, raw(f, line))
	}
	f.Fuzz(func(t *testing.T, five bool, b []byte) {
		v := packet.V311
		if five {
			v = packet.V5
		}
		for len(b) > 0 {
			p, n, err := packet.Split(b, 1<<16)
			if err != nil || n == 0 {
				return
			}
			if n < 2 || n > len(b) {
				t.Fatalf("%x frames %d bytes", b, n)
			}
			b = b[n:]
			again(t, p, v)
		}
	})
}

// again writes the parsed p, parses the result, and compares the two.
func again(t *testing.T, p packet.Packet, v packet.Version) {
	var b []byte
	read := func() packet.Packet {
		q, n, err := packet.Split(b, 0)
		if err != nil || n != len(b) || q.Type != p.Type {
			t.Fatalf("%v %x was written as %x: %d bytes, %v", p.Type, p.Body, b, n, err)
		}
		return q
	}
	same := func(one, two any, err error) {
		if err != nil || !equal(one, two) {
			t.Fatalf("%x was written as %x: %v\n%+v\n%+v", p.Body, b, err, one, two)
		}
	}
	switch p.Type {
	case packet.CONNECT:
		var one, two packet.Connect
		if packet.ParseConnect(p.Body, &one) == nil {
			b = packet.AppendConnect(nil, &one)
			same(one, two, packet.ParseConnect(read().Body, &two))
		}
	case packet.PUBLISH:
		var one, two packet.Publish
		if packet.ParsePublish(p, v, &one) == nil {
			b = packet.AppendPublish(nil, v, &one)
			if size := packet.PublishSize(v, &one, len(one.Payload)); size != len(b) {
				t.Fatalf("PublishSize says %d of %x", size, b)
			}
			same(one, two, packet.ParsePublish(read(), v, &two))
		}
	case packet.PUBACK:
		if one, err := packet.ParsePuback(p.Body, v); err == nil {
			b = packet.AppendPuback(nil, v, one)
			two, err := packet.ParsePuback(read().Body, v)
			same(one, two, err)
		}
	case packet.DISCONNECT:
		var one, two packet.Disconnect
		if packet.ParseDisconnect(p.Body, v, &one) == nil {
			b = packet.AppendDisconnect(nil, v, &one)
			same(one, two, packet.ParseDisconnect(read().Body, v, &two))
		}
	case packet.SUBSCRIBE, packet.UNSUBSCRIBE:
		againFilters(t, p, v)
	}
}

func againFilters(t *testing.T, p packet.Packet, v packet.Version) {
	var one, two packet.Subscribe
	if packet.ParseSubscribe(p, v, &one) != nil {
		return
	}
	properties, id := one.Properties, one.ID
	var list []packet.Subscription
	var filters [][]byte
	for s, ok := one.Next(); ok; s, ok = one.Next() {
		if !packet.ValidFilter(s.Filter) {
			t.Fatalf("%x holds the filter %q", p.Body, s.Filter)
		}
		list, filters = append(list, s), append(filters, s.Filter)
	}
	var b []byte
	if p.Type == packet.SUBSCRIBE {
		b = packet.AppendSubscribe(nil, v, id, &properties, list)
	} else {
		b = packet.AppendUnsubscribe(nil, v, id, filters)
	}
	q, n, err := packet.Split(b, 0)
	if err != nil || n != len(b) || packet.ParseSubscribe(q, v, &two) != nil || two.ID != id {
		t.Fatalf("%x was written as %x: %v", p.Body, b, err)
	}
	for i := range list {
		if s, ok := two.Next(); !ok || !equal(s, list[i]) {
			t.Fatalf("%x was written as %x", p.Body, b)
		}
	}
}

// equal compares the printed values, in which nil and an empty text differ.
func equal(a, b any) bool { return bytes.Equal(printed(a), printed(b)) }

func printed(v any) []byte { return fmt.Appendf(nil, "%#v", v) }
