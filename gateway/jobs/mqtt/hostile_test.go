package mqtt_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"net"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/jobs/mqtt/packet"
)

// TestBeforeConnect: an invalid CONNECT gets no answer.
func TestBeforeConnect(t *testing.T) {
	f := newFixture(t, nil)
	for name, text := range map[string]string{
		"HTTP":                     hex.EncodeToString([]byte("GET / HTTP/1.1\r\n\r\n")),
		"PINGREQ":                  "c000",
		"SUBSCRIBE":                "82060001000161" + "01",
		"a second byte of nothing": "00",
		"too long":                 "10ffffff7f",
		"version 6":                "100d00044d515454" + "06" + "02003c000161",
		"version 3.1":              "100f00064d5149736470" + "03" + "02003c000161",
		"reserved flag":            "100d00044d515454" + "04" + "03003c000161",
		"will QoS 3":               "101300044d515454" + "04" + "1e003c0001610001740001" + "70",
		"not UTF-8":                "100d00044d515454" + "04" + "02003c0001ff",
		"no client id, not clean":  "100c00044d515454" + "04" + "00003c0000",
		"property twice":           "101800044d515454" + "05" + "02003c0a110000003c110000003c000161",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(name, err)
		}
		c := f.dial(packet.V5, name)
		c.send(b)
		c.ends(0)
	}
}

// TestRefused: valid CONNECTs that the server refuses.
func TestRefused(t *testing.T) {
	f := newFixture(t, nil)
	refused := func(v packet.Version, id string, reason packet.Reason, edit func(*packet.Connect)) {
		t.Helper()
		c := f.dial(v, id)
		c.connect(edit)
		if c.ack.Reason != reason {
			t.Errorf("%q: reason %#x, want %#x", id, c.ack.Reason, reason)
		}
		c.ends(0)
	}
	refused(packet.V5, "not a name", packet.ClientIDNotValid, nil)
	refused(packet.V311, "a/b", packet.IDRejected, nil)
	refused(packet.V311, strings.Repeat("a", 129), packet.IDRejected, nil)
	refused(packet.V5, "", packet.ClientIDNotValid, nil) // the client id is the thing
	refused(packet.V5, "a", packet.BadAuthenticationMethod, func(m *packet.Connect) {
		m.Properties.SetText(packet.AuthenticationMethod, []byte("SCRAM"))
	})
	refused(packet.V5, "a", packet.QoSNotSupported, func(m *packet.Connect) { m.Will = packet.Will{Topic: []byte("t"), QoS: 2} })
}

// TestAfterConnect: a protocol violation ends the connection, with the reason in MQTT 5.
func TestAfterConnect(t *testing.T) {
	f := newFixture(t, nil)
	topic := func(name string) string { return hex.EncodeToString(append([]byte{0, byte(len(name))}, name...)) }
	own := topic("$aws/things/a/jobs/get")
	for name, one := range map[string]struct {
		text   string
		reason packet.Reason
	}{
		"CONNECT again":            {"100e00044d515454" + "05" + "02003c00000161", packet.ProtocolError},
		"CONNACK":                  {"2003000000", packet.ProtocolError},
		"PUBREL":                   {"62020001", packet.ProtocolError},
		"AUTH":                     {"f000", packet.ProtocolError},
		"type 0":                   {"0000", packet.MalformedPacket},
		"flags":                    {"c100", packet.MalformedPacket},
		"length of five bytes":     {"30ffffffff7f", packet.MalformedPacket},
		"too large":                {"30ffff7f", packet.PacketTooLarge},
		"QoS 2":                    {"341b" + own + "000100", packet.QoSNotSupported},
		"QoS 3":                    {"361b" + own + "000100", packet.MalformedPacket},
		"topic alias":              {"301c" + own + "03230001", packet.TopicAliasInvalid},
		"another kind of topic":    {"3005" + topic("a/") + "00", packet.NotAuthorized},
		"no topic":                 {"3003" + "0000" + "00", packet.TopicNameInvalid},
		"subscription identifier":  {"8209" + "0001" + "020b05" + "000161" + "01", packet.SubscriptionIDs},
		"no filter":                {"8203" + "0001" + "00", packet.ProtocolError},
		"options that are missing": {"8206" + "0001" + "00" + "000161", packet.MalformedPacket},
		"malformed filter":         {"8208" + "0001" + "00" + "00026123" + "01", packet.TopicFilterInvalid},
		"PINGREQ with a body":      {"c00100", packet.MalformedPacket},
		"session that was clean":   {"e00700051100000001", packet.ProtocolError},
	} {
		b, err := hex.DecodeString(one.text)
		if err != nil {
			t.Fatal(name, err)
		}
		c := f.connect(packet.V5, "a", nil)
		c.id = name
		c.send(b)
		c.ends(one.reason)
	}
	// The same in 3.1.1: closed without a packet.
	c := f.connect(packet.V311, "a", nil)
	c.send([]byte{0, 0})
	c.ends(0)
}

// TestForeignTopics: no device can request, report or receive for another.
func TestForeignTopics(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a", "b")
	f.create("j", "a", "b")
	for _, topic := range []string{
		"$aws/things/b/jobs/j/update", "$aws/things/b/jobs/start-next", "$aws/things/a/shadow/update", "$aws/events/job/things/j/completed",
		"$aws/rules/things/x", "things/b/jobs/j/update", "$share/g/$aws/things/a/jobs/get", "$aws/things/a/../b/jobs/start-next", "$aws/things/a%2f/jobs/get",
	} {
		payload := `{"status":"SUCCEEDED"}`
		c := f.connect(packet.V5, "a", nil)
		if got := c.puback(c.publish(1, topic, payload)); got != packet.NotAuthorized {
			t.Errorf("%s: PUBACK with %#x", topic, got)
		}
		c.quiet()
		c.publish(0, topic, payload)
		c.ends(packet.NotAuthorized)
		c = f.connect(packet.V311, "a", nil)
		c.publish(1, topic, payload)
		c.ends(0)
	}
	d, found, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "b", JobID: "j"})
	f.ok(err)
	if !found || d.Execution.Version != 1 {
		t.Errorf("b's execution was changed: %+v", d.Execution)
	}
}

// TestForeignWill: a will is never published, neither on another device's topic nor on the device's own. Connections are
// cut one after the other; the answer to a later request shows that the server still runs.
func TestForeignWill(t *testing.T) {
	both(t, func(t *testing.T, v packet.Version) {
		f := newFixture(t, nil)
		f.things("a", "b")
		f.create("j", "a", "b")
		b := f.connect(v, "b", nil)
		b.subscribe(1, "#")
		for _, thing := range []string{"a", "b"} {
			a := f.connect(v, "a", func(m *packet.Connect) {
				m.Will = packet.Will{Topic: []byte("$aws/things/" + thing + "/jobs/j/update"), Payload: []byte(`{"status":"FAILED"}`), QoS: 1}
			})
			_ = a.Close() // without a DISCONNECT
		}
		b.quiet()
		f.connect(v, "a", nil).quiet()
		for _, thing := range []string{"a", "b"} {
			d, found, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: thing, JobID: "j"})
			f.ok(err)
			if !found || d.Execution.Version != 1 {
				t.Errorf("%s's execution was changed: %+v", thing, d.Execution)
			}
		}
	})
}

// TestForeignFilters: no wildcard, share or other topic lets a device receive another's messages.
func TestForeignFilters(t *testing.T) {
	both(t, func(t *testing.T, v packet.Version) {
		f := newFixture(t, nil)
		f.things("a", "b")
		b, a := f.connect(v, "b", nil), f.connect(v, "a", nil)
		b.subscribe(1, "#")
		var list []packet.Subscription
		for _, filter := range []string{
			"#", "+/#", "$aws/#", "$aws/things/+/jobs/#", "$aws/things/b/jobs/notify-next", "$aws/things/b/jobs/#", "$aws/+/b/jobs/#",
			"$aws/events/#", "$SYS/#", "things/#",
		} {
			list = append(list, packet.Subscription{Filter: []byte(filter), QoS: 1})
		}
		refused := byte(packet.NotAuthorized)
		if v == packet.V311 {
			refused = byte(packet.UnspecifiedError)
		}
		if got := a.subscribeTo(list...); !bytes.Equal(got, bytes.Repeat([]byte{refused}, len(list))) {
			t.Errorf("%x", got)
		}
		shared := byte(packet.SharedNotSupported)
		if v == packet.V311 {
			shared = refused
		}
		if got := a.subscribe(1, "$share/g/$aws/things/a/jobs/#"); got[0] != shared {
			t.Errorf("a shared subscription: %#x", got)
		}
		f.create("j", "b")
		b.message("notify")
		b.message("notify-next")
		a.quiet()
		if got := b.subscribe(2, "notify"); got[0] != 1 {
			t.Errorf("QoS 2 is granted as %d", got[0])
		}
	})
}

// TestManySubscriptions: a session keeps as many subscriptions as AWS allows.
func TestManySubscriptions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	c := f.connect(packet.V5, "a", nil)
	for i := range 60 {
		want := byte(packet.GrantedQoS1)
		if i >= 50 {
			want = byte(packet.QuotaExceeded)
		}
		if got := c.subscribe(1, strings.Repeat("j", i+1)+"/update/+"); got[0] != want {
			t.Fatalf("the %d. subscription: %#x", i+1, got)
		}
	}
}

// TestUnread: a client that sends requests but does not read is disconnected.
func TestUnread(t *testing.T) {
	t.Parallel()
	f := newFixtureWith(t, nil, 300*time.Millisecond)
	f.things("a")
	f.createWith("j", func(r *jobs.CreateJobRequest) { r.Document = `{"text":"` + longText(20000) + `"}` }, "a")
	c := f.connect(packet.V311, "a", nil)
	m := packet.Publish{Topic: []byte(c.topic("$next/get"))}
	request := bytes.Repeat(packet.AppendPublish(nil, c.v, &m), 100)
	for deadline := time.Now().Add(patience); ; {
		if _, err := c.Write(request); err != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a client that does not read is still served")
		}
	}
}

// TestConnectRate: CONNECTs beyond the rate are refused, with the reason.
func TestConnectRate(t *testing.T) {
	f := newFixture(t, func(c *mqtt.Config) { c.ConnectRate = 2 })
	refused := 0
	for range 12 {
		c := f.dial(packet.V5, "a")
		c.connect(nil)
		if c.ack.Reason == packet.ConnectionRateExceeded {
			refused++
			c.ends(0)
		}
	}
	if refused == 0 {
		t.Error("none of 12 CONNECTs in a row was refused")
	}
}

// TestKeepAlive: a silent client is disconnected after one and a half times its keep-alive.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	c := f.connect(packet.V5, "a", func(m *packet.Connect) { m.KeepAlive = 1 })
	c.ends(packet.KeepAliveTimeout)
}

// TestShutdown: clients are disconnected with a reason.
func TestShutdown(t *testing.T) {
	f := newFixture(t, nil)
	five, three := f.connect(packet.V5, "a", nil), f.connect(packet.V311, "b", nil)
	ctx, cancel := context.WithTimeout(bg, patience)
	defer cancel()
	f.ok(f.server.Shutdown(ctx))
	five.ends(packet.ServerShuttingDown)
	three.ends(0)
	if conn, err := net.Dial("tcp", f.address); err == nil {
		_ = conn.Close()
		t.Error("a server that was shut down takes connections")
	}
}

// TestSplitPackets: packets may arrive byte by byte, or many at once.
func TestSplitPackets(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	c := f.connect(packet.V5, "a", nil)
	m := packet.Publish{QoS: 1, ID: 7, Topic: []byte(c.topic("get")), Payload: []byte(`{"clientToken":"slow"}`)}
	one := packet.AppendPublish(nil, c.v, &m)
	for i := range one {
		c.send(one[i : i+1])
	}
	c.puback(7)
	if got := c.message("get/accepted"); got["clientToken"] != "slow" {
		t.Error(got)
	}
	c.send(bytes.Repeat(one, 300))
	for range 300 {
		c.puback(7)
		c.message("get/accepted")
	}
	c.quiet()
}
