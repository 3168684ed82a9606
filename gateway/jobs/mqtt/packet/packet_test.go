package packet_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"jobgate/gateway/jobs/mqtt/packet"
)

// raw decodes a line of hexadecimal digits; quoted parts are text.
func raw(t testing.TB, line string) []byte {
	t.Helper()
	var out []byte
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, b...)
	}
	return out
}

// TestSplit frames packets: 5 §2.1.
func TestSplit(t *testing.T) {
	f := func(line string, limit int, kind packet.Type, n int, reason packet.Reason) {
		t.Helper()
		p, got, err := packet.Split(raw(t, line), limit)
		var fault *packet.Error
		if reason != 0 {
			if !errors.As(err, &fault) || fault.Reason != reason {
				t.Errorf("%s: error %v, want reason %#x", line, err, reason)
			}
			return
		}
		if err != nil || got != n || n > 0 && p.Type != kind {
			t.Errorf("%s: type %d, %d bytes, %v; want type %d, %d bytes", line, p.Type, got, err, kind, n)
		}
	}
	f("", 0, 0, 0, 0)
	f("c0", 0, 0, 0, 0)
	f("c000", 0, packet.PINGREQ, 2, 0)
	f("c000 c000", 0, packet.PINGREQ, 2, 0)
	f("4002 0001", 0, packet.PUBACK, 4, 0)
	f("4002 00", 0, 0, 0, 0)
	f("3180 01", 0, 0, 0, 0)
	f("3005 0001 'a' 'hi'", 0, packet.PUBLISH, 7, 0)
	f("3005 0001 'a' 'hi'", 7, packet.PUBLISH, 7, 0)
	f("3005", 6, 0, 0, packet.PacketTooLarge) // known from the header alone
	f("30ffffff7f", 1<<20, 0, 0, packet.PacketTooLarge)
	f("30ffffffff7f", 0, 0, 0, packet.MalformedPacket) // five bytes of length
	f("308000", 0, 0, 0, packet.MalformedPacket)       // 0 in two bytes
	f("0000", 0, 0, 0, packet.MalformedPacket)         // type 0
	f("c100", 0, 0, 0, packet.MalformedPacket)         // flags of PINGREQ
	f("8000", 0, 0, 0, packet.MalformedPacket)         // SUBSCRIBE without its flags
	f("6000", 0, 0, 0, packet.MalformedPacket)         // flags of PUBREL
	f("f000", 0, packet.AUTH, 2, 0)
}

// TestMalformed checks invalid packets, each with the section that forbids it.
func TestMalformed(t *testing.T) {
	f := func(section string, v packet.Version, line string, reason packet.Reason) {
		t.Helper()
		b := raw(t, line)
		p, n, err := packet.Split(b, 0)
		if err == nil && n != len(b) {
			t.Fatalf("%s %s: the line frames %d of its %d bytes", section, line, n, len(b))
		}
		if err == nil {
			err = parse(p, v)
		}
		var fault *packet.Error
		switch {
		case reason == 0 && err != nil:
			t.Errorf("%s %s: %v, want none", section, line, err)
		case reason != 0 && (!errors.As(err, &fault) || fault.Reason != reason):
			t.Errorf("%s %s: error %v, want reason %#x", section, line, err, reason)
		}
	}
	const (
		v3, v5     = packet.V311, packet.V5
		bad        = packet.MalformedPacket
		protocol   = packet.ProtocolError
		version    = packet.UnsupportedVersion
		connect311 = "0004 'MQTT' 04 02 003c"
		connect5   = "0004 'MQTT' 05 02 003c"
	)
	f("3 §3.1", v3, "100d"+connect311+"0001 'a'", 0)
	f("3 §3.1.2.1", v3, "100d 0004 'MQTX' 04 02 003c 0001 'a'", bad)
	f("3.1", v3, "100f 0006 'MQIsdp' 03 02 003c 0001 'a'", version)
	f("3 §3.1.2.2", v3, "100d 0004 'MQTT' 06 02 003c 0001 'a'", version)
	f("3 §3.1.2.3", v3, "100d 0004 'MQTT' 04 03 003c 0001 'a'", bad)
	f("3 §3.1.2.5", v3, "1013 0004 'MQTT' 04 1e 003c 0001 'a' 0001 't' 0001 'p'", bad) // will QoS 3
	f("3 §3.1.2.6", v3, "100d 0004 'MQTT' 04 0a 003c 0001 'a'", bad)                   // will QoS without a will
	f("3 §3.1.2.7", v3, "100d 0004 'MQTT' 04 22 003c 0001 'a'", bad)                   // will retain without a will
	f("3 §3.1.2.9", v3, "1010 0004 'MQTT' 04 42 003c 0001 'a' 0001 'p'", bad)          // password alone
	f("5 §3.1.2.9", v5, "1011 0004 'MQTT' 05 42 003c 00 0001 'a' 0001 'p'", 0)
	f("3 §3.1.3.1", v3, "100c 0004 'MQTT' 04 00 003c 0000", packet.ClientIDNotValid)
	f("3 §3.1.3.3", v3, "1013 0004 'MQTT' 04 06 003c 0001 'a' 0001 '#' 0001 'p'", packet.TopicNameInvalid)
	f("3 §3.1", v3, "100e"+connect311+"0001 'a' 00", bad)
	f("3 §3.1", v3, "100c"+connect311+"0001", bad)
	f("3 §1.5.3", v3, "100e"+connect311+"0002 c328", bad)
	f("3 §1.5.3", v3, "100f"+connect311+"0003 eda080", bad) // half of a surrogate pair
	f("3 §1.5.3", v3, "100d"+connect311+"0001 00", bad)
	f("5 §3.1", v5, "100e"+connect5+"00 0001 'a'", 0)
	f("5 §3.1.2.11", v5, "1013"+connect5+"05 11 0000003c 0001 'a'", 0)
	f("5 §3.1.2.11", v5, "1018"+connect5+"0a 11 0000003c 11 0000003c 0001 'a'", protocol)
	f("5 §3.1.2.11.3", v5, "1011"+connect5+"03 21 0000 0001 'a'", protocol)
	f("5 §3.1.2.11.4", v5, "1013"+connect5+"05 27 00000000 0001 'a'", protocol)
	f("5 §3.1.2.11.6", v5, "1010"+connect5+"02 19 02 0001 'a'", protocol)
	f("5 §3.1.2.11.10", v5, "1012"+connect5+"04 16 0001 'x' 0001 'a'", protocol) // data without a method
	f("5 §2.2.2.2", v5, "1010"+connect5+"02 24 01 0001 'a'", bad)                // CONNACK's
	f("5 §2.2.2.2", v5, "1010"+connect5+"02 7f 01 0001 'a'", bad)
	f("5 §2.2.2.2", v5, "1016"+connect5+"08 26 0001 'k' 0001 'v' 00 0001 'a'", bad)
	f("5 §2.2.2.2", v5, "101c"+connect5+"0e 26 0001 'k' 0001 'v' 26 0001 'k' 0001 'v' 0001 'a'", 0)
	f("5 §2.2.2.1", v5, "100e"+connect5+"7f 0001 'a'", bad) // longer than the packet

	f("3 §3.3", v3, "3004 0001 'a' 'x'", 0)
	f("3 §3.3.1.1", v3, "3804 0001 'a' 'x'", bad)      // DUP with QoS 0
	f("3 §3.3.1.2", v3, "3606 0001 'a' 0001 'x'", bad) // QoS 3
	f("3 §3.3.2.1", v3, "3004 0001 '+' 'x'", packet.TopicNameInvalid)
	f("3 §3.3.2.1", v3, "3003 0000 'x'", packet.TopicNameInvalid)
	f("3 §2.3.1", v3, "3206 0001 'a' 0000 'x'", protocol)
	f("3 §3.3", v3, "3203 0001 'a'", bad)
	f("5 §3.3.2.3.4", v5, "3006 0000 03 23 0001", 0) // an alias alone
	f("5 §3.3.2.1", v5, "3003 0000 00", packet.TopicNameInvalid)
	f("5 §3.3.2.3.8", v5, "3006 0001 'a' 02 0b 00", protocol)
	f("5 §3.3.2.3.8", v5, "3008 0001 'a' 04 0b01 0b02", 0) // two subscriptions matched
	f("5 §3.3.2.3.2", v5, "3006 0001 'a' 02 01 02", protocol)

	f("3 §3.4", v3, "4002 0001", 0)
	f("3 §3.4", v3, "4003 0001 00", bad)
	f("5 §3.4", v5, "4003 0001 10", 0)
	f("5 §3.4", v5, "4004 0001 10 00", 0)
	f("5 §3.4", v5, "4005 0001 10 01 24", bad)
	f("5 §2.2.1", v5, "4002 0000", protocol)

	f("3 §3.8", v3, "8206 0001 0001 'a' 01", 0)
	f("3 §3.8.3", v3, "8202 0001", protocol)
	f("3 §3.8.3", v3, "8205 0001 0001 'a'", bad) // without options, which crashed mochi's decoder
	f("3 §3.8.3", v3, "8206 0001 0001 'a' 03", bad)
	f("3 §3.8.3", v3, "8206 0001 0001 'a' 04", bad) // MQTT 5's options
	f("3 §2.3.1", v3, "8206 0000 0001 'a' 01", protocol)
	f("3 §4.7.1", v3, "8208 0001 0003 'a/#' 01", 0)
	f("3 §4.7.1.2", v3, "8207 0001 0002 'a#' 01", packet.TopicFilterInvalid)
	f("3 §4.7.1.2", v3, "820a 0001 0005 'a/#/b' 01", packet.TopicFilterInvalid)
	f("3 §4.7.1.3", v3, "8207 0001 0002 'a+' 01", packet.TopicFilterInvalid)
	f("3 §4.7.3", v3, "8205 0001 0000 01", packet.TopicFilterInvalid)
	f("5 §3.8", v5, "8207 0001 00 0001 'a' 01", 0)
	f("5 §3.8", v5, "8206 0001 00 0001 'a'", bad)
	f("5 §3.8.3.1", v5, "8207 0001 00 0001 'a' 30", protocol)
	f("5 §3.8.3.1", v5, "8207 0001 00 0001 'a' 41", bad)
	f("5 §3.8.3.1", v5, "8210 0001 00 000a '$share/g/a' 05", protocol)
	f("5 §4.8.2", v5, "820e 0001 00 0008 '$share/g' 01", packet.TopicFilterInvalid)
	f("5 §4.8.2", v5, "8210 0001 00 000a '$share/+/a' 01", packet.TopicFilterInvalid)
	f("5 §3.8.2.1.2", v5, "8209 0001 02 0b 05 0001 'a' 01", 0)

	f("3 §3.10", v3, "a205 0001 0001 'a'", 0)
	f("3 §3.10.3", v3, "a202 0001", protocol)
	f("3 §3.14", v3, "e000", 0)
	f("3 §3.14", v3, "e001 00", bad)
	f("5 §3.14", v5, "e001 04", 0)
	f("5 §3.14.2.2", v5, "e007 00 05 11 00000000", 0)
	f("5 §3.14.2.2", v5, "e007 00 05 12 00000000", bad)
}

// parse parses a client's packet and discards the result.
func parse(p packet.Packet, v packet.Version) error {
	var err error
	switch p.Type {
	case packet.CONNECT:
		err = packet.ParseConnect(p.Body, new(packet.Connect))
	case packet.PUBLISH:
		err = packet.ParsePublish(p, v, new(packet.Publish))
	case packet.PUBACK:
		_, err = packet.ParsePuback(p.Body, v)
	case packet.SUBSCRIBE, packet.UNSUBSCRIBE:
		err = packet.ParseSubscribe(p, v, new(packet.Subscribe))
	case packet.DISCONNECT:
		err = packet.ParseDisconnect(p.Body, v, new(packet.Disconnect))
	}
	return err
}

// TestAppend checks the bytes of every packet that is written, after the buffer's existing content.
func TestAppend(t *testing.T) {
	f := func(want string, add func([]byte) []byte) {
		t.Helper()
		got := add([]byte("foo"))
		if expected := append([]byte("foo"), raw(t, want)...); !bytes.Equal(got, expected) {
			t.Errorf("got  %x\nwant %x", got, expected)
		}
	}
	const v3, v5 = packet.V311, packet.V5
	var full packet.Properties
	full.SetNumber(packet.SessionExpiry, 3600)
	full.SetNumber(packet.MaximumQoS, 1)
	full.SetText(packet.AssignedClientID, []byte("x"))
	f("2002 01 00", func(b []byte) []byte {
		return packet.AppendConnack(b, v3, &packet.Connack{SessionPresent: true, Properties: full})
	})
	f("200e 00 00 0b 11 00000e10 12 0001 'x' 24 01", func(b []byte) []byte { return packet.AppendConnack(b, v5, &packet.Connack{Properties: full}) })
	for reason, code := range map[packet.Reason]string{
		packet.UnsupportedVersion: "01", packet.ClientIDNotValid: "02", packet.ServerBusy: "03", packet.BadUserNameOrPassword: "04",
		packet.NotAuthorized: "05", packet.ConnectionRateExceeded: "03",
	} {
		f("2002 00"+code, func(b []byte) []byte { return packet.AppendConnack(b, v3, &packet.Connack{Reason: reason}) })
	}
	one := packet.Publish{QoS: 1, ID: 10, Topic: []byte("a/b"), Payload: []byte("hi"), DUP: true}
	f("3a09 0003 'a/b' 000a 'hi'", func(b []byte) []byte { return packet.AppendPublish(b, v3, &one) })
	f("3a0a 0003 'a/b' 000a 00 'hi'", func(b []byte) []byte { return packet.AppendPublish(b, v5, &one) })
	f("3106 0001 'a' 'hi' 21", func(b []byte) []byte {
		return packet.AppendPublish(b, v3, &packet.Publish{Retain: true, Topic: []byte("a"), Payload: []byte("hi!")})
	})
	f("4002 000a", func(b []byte) []byte { return packet.AppendPuback(b, v5, packet.Puback{ID: 10}) })
	f("4003 000a 87", func(b []byte) []byte {
		return packet.AppendPuback(b, v5, packet.Puback{ID: 10, Reason: packet.NotAuthorized})
	})
	f("4002 000a", func(b []byte) []byte {
		return packet.AppendPuback(b, v3, packet.Puback{ID: 10, Reason: packet.NotAuthorized})
	})
	reasons := []packet.Reason{packet.GrantedQoS1, packet.NotAuthorized}
	f("9004 0007 01 80", func(b []byte) []byte { return packet.AppendSuback(b, v3, 7, reasons) })
	f("9005 0007 00 01 87", func(b []byte) []byte { return packet.AppendSuback(b, v5, 7, reasons) })
	f("b002 0007", func(b []byte) []byte { return packet.AppendUnsuback(b, v3, 7, reasons) })
	f("b005 0007 00 01 87", func(b []byte) []byte { return packet.AppendUnsuback(b, v5, 7, reasons) })
	f("d000", packet.AppendPingresp)
	f("c000", packet.AppendPingreq)
	f("e000", func(b []byte) []byte {
		return packet.AppendDisconnect(b, v3, &packet.Disconnect{Reason: packet.ServerBusy})
	})
	f("e000", func(b []byte) []byte { return packet.AppendDisconnect(b, v5, &packet.Disconnect{}) })
	f("e001 89", func(b []byte) []byte {
		return packet.AppendDisconnect(b, v5, &packet.Disconnect{Reason: packet.ServerBusy})
	})
	var bye packet.Disconnect
	bye.Properties.SetNumber(packet.SessionExpiry, 1)
	f("e007 00 05 11 00000001", func(b []byte) []byte { return packet.AppendDisconnect(b, v5, &bye) })
}

// TestMatch checks the rules and examples of 5 §4.7.1.
func TestMatch(t *testing.T) {
	f := func(filter, topic string, want bool) {
		t.Helper()
		if got := packet.Match([]byte(filter), []byte(topic)); got != want {
			t.Errorf("Match(%q, %q) = %v", filter, topic, got)
		}
	}
	f("sport/tennis/player1/#", "sport/tennis/player1", true)
	f("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true)
	f("sport/#", "sport", true)
	f("#", "sport/tennis", true)
	f("#", "$SYS/monitor", false)
	f("+/monitor/Clients", "$SYS/monitor/Clients", false)
	f("$SYS/#", "$SYS/monitor", true)
	f("$SYS/monitor/+", "$SYS/monitor/Clients", true)
	f("sport/tennis/+", "sport/tennis/player1", true)
	f("sport/tennis/+", "sport/tennis/player1/ranking", false)
	f("sport/+", "sport", false)
	f("sport/+", "sport/", true)
	f("+/+", "/finance", true)
	f("/+", "/finance", true)
	f("+", "/finance", false)
	f("a/b", "a/b", true)
	f("a/b", "a/bc", false)
	f("a/b/", "a/b", false)
	f("a/+/c", "a/b/c", true)
	f("a/+/c", "a/b/d", false)
}

// TestUserProperty: the first with a name is found, among other properties; invalid text is not found.
func TestUserProperty(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		p, _, err := packet.Split(raw(t, line), 0)
		var m packet.Publish
		if err != nil || packet.ParsePublish(p, packet.V5, &m) != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := packet.PublishUserProperty(p, "a"); string(got) != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	f("3004 0001 't' 00", "")
	f("3006 0001 't' 00 'hi'", "")
	f("300b 0001 't' 07 26 0001 'a' 0001 'x'", "x")
	f("320d 0001 't' 0007 07 26 0001 'a' 0001 'x'", "x") // with a packet identifier
	f("300b 0001 't' 07 26 0001 'b' 0001 'x'", "")
	f("3014 0001 't' 10 01 01 26 0001 'b' 0001 'x' 26 0001 'a' 0001 'y'", "y")
	f("3012 0001 't' 0e 26 0001 'a' 0001 'x' 26 0001 'a' 0001 'y'", "x")
	f("300a 0001 't' 06 26 0001 'a' 0000", "")
}
