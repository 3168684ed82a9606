package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2/packets"

	"jobgate/gateway/jobs/mqtt/packet"
)

// parse parses a packet with our codec.
func parse(raw []byte, v packet.Version) (packet.Packet, any, error) {
	p, n, err := packet.Split(raw, 0)
	if err != nil {
		return p, nil, err
	}
	if n != len(raw) {
		return p, nil, errors.New("it is not one packet")
	}
	switch p.Type {
	case packet.CONNECT:
		c := new(packet.Connect)
		return p, c, packet.ParseConnect(p.Body, c)
	case packet.CONNACK:
		c := new(packet.Connack)
		return p, c, packet.ParseConnack(p.Body, v, c)
	case packet.PUBLISH:
		m := new(packet.Publish)
		return p, m, packet.ParsePublish(p, v, m)
	case packet.PUBACK:
		a, err := packet.ParsePuback(p.Body, v)
		return p, a, err
	case packet.SUBSCRIBE, packet.UNSUBSCRIBE:
		s := new(packet.Subscribe)
		return p, s, packet.ParseSubscribe(p, v, s)
	case packet.DISCONNECT:
		d := new(packet.Disconnect)
		return p, d, packet.ParseDisconnect(p.Body, v, d)
	}
	return p, nil, nil
}

// elsewhere are the cases of mochi's table that describe mochi's behaviour rather than the protocol.
var elsewhere = []byte{
	mochi.TPublishDup,              // DUP with QoS 0, which 5 §3.3.1.1 forbids
	mochi.TPublishSpecDenySysTopic, // depends on a broker's rules
}

// TestTable: our codec accepts and refuses the same cases of mochi's table as mochi.
func TestTable(t *testing.T) {
	read := 0
	for _, kind := range []byte{mochi.Connect, mochi.Publish, mochi.Puback, mochi.Subscribe, mochi.Unsubscribe, mochi.Disconnect} {
		for _, c := range mochi.TPacketData[kind] {
			v := packet.V311
			if c.Packet != nil && c.Packet.ProtocolVersion == 5 {
				v = packet.V5
			}
			if c.RawBytes == nil || c.Group == "encode" || c.Packet != nil && c.Packet.ProtocolVersion == 3 || slices.Contains(elsewhere, c.Case) {
				continue
			}
			read++
			refused := c.FailFirst != nil || c.Group == "validate" || c.Expect != nil
			_, _, err := parse(c.RawBytes, v)
			if refused != (err != nil) {
				t.Errorf("%d %q (group %q): ours says %v, mochi's %v %v\n%x", c.Case, c.Desc, c.Group, err, c.FailFirst, c.Expect, c.RawBytes)
			}
		}
	}
	if read < 60 {
		t.Errorf("the table has only %d cases", read)
	}
}

// decode parses a packet with mochi's codec.
func decode(raw []byte, v packet.Version) (*mochi.Packet, error) {
	pk := &mochi.Packet{ProtocolVersion: byte(v)}
	if err := pk.FixedHeader.Decode(raw[0]); err != nil {
		return nil, err
	}
	r := bytes.NewReader(raw[1:])
	n, _, err := mochi.DecodeLength(r)
	if err != nil {
		return nil, err
	}
	pk.FixedHeader.Remaining = n
	body := slices.Clone(raw[len(raw)-n:])
	switch pk.FixedHeader.Type {
	case mochi.Connect:
		err = pk.ConnectDecode(body)
	case mochi.Connack:
		err = pk.ConnackDecode(body)
	case mochi.Publish:
		err = pk.PublishDecode(body)
	case mochi.Puback:
		err = pk.PubackDecode(body)
	case mochi.Subscribe:
		err = pk.SubscribeDecode(body)
	case mochi.Suback:
		err = pk.SubackDecode(body)
	case mochi.Unsubscribe:
		err = pk.UnsubscribeDecode(body)
	case mochi.Unsuback:
		err = pk.UnsubackDecode(body)
	case mochi.Disconnect:
		err = pk.DisconnectDecode(body)
	}
	return pk, err
}

// TestMochi: mochi reads our random packets, and writes them back unchanged; our codec reads those again.
func TestMochi(t *testing.T) {
	for seed := range uint64(20000) {
		g := generator{rand.New(rand.NewPCG(seed, 1)), packet.Version(4 + seed%2)}
		raw := g.packet()
		pk, err := decode(raw, g.v)
		if err != nil {
			t.Fatalf("seed %d: mochi refuses %x: %v", seed, raw, err)
		}
		_, one, err := parse(raw, g.v)
		if err != nil {
			t.Fatalf("seed %d: %x: %v", seed, raw, err)
		}
		compare(t, fmt.Sprintf("seed %d: %x", seed, raw), one, pk)
	}
}

// compare compares our parsed packet with mochi's.
func compare(t *testing.T, what string, one any, pk *mochi.Packet) {
	t.Helper()
	same := func(field string, ours, theirs any) {
		t.Helper()
		if fmt.Sprint(ours) != fmt.Sprint(theirs) {
			t.Fatalf("%s: %s: ours %v, mochi's %v", what, field, ours, theirs)
		}
	}
	switch x := one.(type) {
	case *packet.Connect:
		c := pk.Connect
		same("client id", string(x.ClientID), c.ClientIdentifier)
		same("keep alive", x.KeepAlive, c.Keepalive)
		same("clean", x.Clean, c.Clean)
		same("will", x.Will.Topic != nil, c.WillFlag)
		same("will topic", string(x.Will.Topic), c.WillTopic)
		same("will payload", string(x.Will.Payload), string(c.WillPayload))
		same("user", string(x.UserName), string(c.Username))
		same("password", string(x.Password), string(c.Password))
		same("session expiry", x.Properties.Number(packet.SessionExpiry, 0), pk.Properties.SessionExpiryInterval)
		same("maximum packet size", x.Properties.Number(packet.MaximumPacketSize, 0), pk.Properties.MaximumPacketSize)
		same("receive maximum", x.Properties.Number(packet.ReceiveMaximum, 0), pk.Properties.ReceiveMaximum)
	case *packet.Connack:
		same("session present", x.SessionPresent, pk.SessionPresent)
		same("reason", uint8(x.Reason), pk.ReasonCode)
		same("assigned client id", string(x.Properties.Text(packet.AssignedClientID)), pk.Properties.AssignedClientID)
	case *packet.Publish:
		same("topic", string(x.Topic), pk.TopicName)
		same("payload", string(x.Payload), string(pk.Payload))
		same("QoS", x.QoS, pk.FixedHeader.Qos)
		same("id", x.ID, pk.PacketID)
		same("content type", string(x.Properties.Text(packet.ContentType)), pk.Properties.ContentType)
		same("correlation data", string(x.Properties.Text(packet.CorrelationData)), string(pk.Properties.CorrelationData))
	case packet.Puback:
		same("id", x.ID, pk.PacketID)
		same("reason", uint8(x.Reason), pk.ReasonCode)
	case *packet.Subscribe:
		same("id", x.ID, pk.PacketID)
		for i := range pk.Filters {
			s, _ := x.Next()
			same("filter", string(s.Filter), pk.Filters[i].Filter)
			same("QoS", s.QoS, pk.Filters[i].Qos)
			same("no local", s.NoLocal, pk.Filters[i].NoLocal)
			same("retain handling", s.RetainHandling, pk.Filters[i].RetainHandling)
		}
	case *packet.Disconnect:
		if pk.FixedHeader.Remaining > 1 { // otherwise mochi ignores the reason
			same("reason", uint8(x.Reason), pk.ReasonCode)
		}
	}
}
