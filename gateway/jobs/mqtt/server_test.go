package mqtt_test

import (
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/jobs/mqtt/packet"
)

// jobOf returns the id of the job that a message names, "" if it names none.
func jobOf(m map[string]any) string {
	e, _ := m["execution"].(map[string]any)
	id, _ := e["jobId"].(string)
	return id
}

// TestLife is a device's life as in AWS's captures: it gets a notice of a job, starts it, reports, gets the next notice.
func TestLife(t *testing.T) {
	both(t, func(t *testing.T, v packet.Version) {
		f := newFixture(t, nil)
		f.things("a")
		c := f.connect(v, "a", nil)
		if got := string(c.subscribe(1, "notify", "notify-next", "$next/get/accepted", "start-next/accepted", "+/update/accepted", "+/update/rejected")); got != "\x01\x01\x01\x01\x01\x01" {
			t.Fatalf("%x", got)
		}
		if got := c.ask("$next/get", `{"clientToken":"t1"}`, "accepted"); got["clientToken"] != "t1" || got["execution"] != nil {
			t.Fatal(got)
		}
		f.create("one", "a") // the first pending one: both notices, in this order
		queued := c.message("notify")["jobs"].(map[string]any)["QUEUED"].([]any)
		if len(queued) != 1 || queued[0].(map[string]any)["jobId"] != "one" {
			t.Fatal(queued)
		}
		if got := c.message("notify-next"); jobOf(got) != "one" || got["execution"].(map[string]any)["jobDocument"].(map[string]any)["do"] != "one" {
			t.Fatal(got)
		}
		f.create("two", "a") // not the next one: notify only
		c.message("notify")
		c.quiet()

		if got := c.ask("start-next", ``, "accepted"); jobOf(got) != "one" {
			t.Fatal(got)
		}
		c.quiet() // starting causes no notice
		c.ask("one/update", `{"status":"IN_PROGRESS","statusDetails":{"percent":"50"}}`, "accepted")
		c.quiet()
		c.ask("one/update", `{"status":"SUCCEEDED"}`, "accepted") // accepted, then notify, then notify-next
		c.message("notify")
		if got := c.message("notify-next"); jobOf(got) != "two" {
			t.Fatal(got)
		}
		c.ask("two/update", `{"status":"SUCCEEDED"}`, "accepted")
		if got := c.message("notify"); len(got["jobs"].(map[string]any)) != 0 {
			t.Fatal(got)
		}
		if got := c.message("notify-next"); len(got) != 1 {
			t.Fatal(got)
		}
		if got := c.ask("one/update", `{"status":"SUCCEEDED","clientToken":"late"}`, "rejected"); got["code"] != "InvalidStateTransition" || got["clientToken"] != "late" {
			t.Fatal(got)
		}
	})
}

// TestUnsubscribed: an answer goes to the requesting client, subscribed or not, and only to it.
func TestUnsubscribed(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	f.create("one", "a")
	c := f.connect(packet.V311, "a", nil)
	c.publish(0, "get", ``)
	if got := c.unacknowledged("get/accepted"); got.QoS != 0 {
		t.Errorf("an answer that was not subscribed to has QoS %d", got.QoS)
	}
	c.puback(c.publish(1, "$next/get", ``))
	if got := c.unacknowledged("$next/get/accepted"); got.QoS != 0 {
		t.Errorf("an answer that was not subscribed to has QoS %d", got.QoS)
	}
	c.subscribe(0, "get/+")
	c.puback(c.publish(1, "get", ``))
	if got := c.unacknowledged("get/accepted"); got.QoS != 0 {
		t.Errorf("an answer subscribed to with QoS 0 has QoS %d", got.QoS)
	}
	c.quiet()
}

// TestNoticesOfOperators: notices of changes by operators and timeouts.
func TestNoticesOfOperators(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	c := f.connect(packet.V5, "a", nil)
	c.subscribe(1, "notify-next")
	next := func(want string) {
		t.Helper()
		if got := jobOf(c.message("notify-next")); got != want {
			t.Fatalf("the next job is %q, want %q", got, want)
		}
	}
	f.create("canceled", "a")
	next("canceled")
	_, err := f.CancelJob(bg, time.Now(), jobs.CancelJobRequest{ID: "canceled"})
	f.ok(err)
	next("")
	f.create("deleted", "a")
	next("deleted")
	f.ok(f.DeleteJob(bg, time.Now(), jobs.DeleteJobRequest{ID: "deleted", Force: true}))
	next("")
	_, err = f.CreateGroup(bg, time.Now(), jobs.CreateGroupRequest{Name: "g"})
	f.ok(err)
	f.createWith("continuous", func(r *jobs.CreateJobRequest) {
		r.Targets, r.Selection = []string{f.Names().GroupARN("g")}, jobs.Continuous
	})
	c.quiet()
	f.ok(f.AddToGroup(bg, time.Now(), jobs.MemberRequest{Thing: "a", Group: "g"}))
	next("continuous")
	f.ok(f.RemoveFromGroup(bg, time.Now(), jobs.MemberRequest{Thing: "a", Group: "g"}))
	next("")
	f.createWith("retried", func(r *jobs.CreateJobRequest) {
		r.Settings.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureFailed, NumberOfRetries: 1}}}
	}, "a")
	next("retried")
	c.puback(c.publish(1, "retried/update", `{"status":"FAILED"}`))
	c.message("retried/update/accepted")
	next("retried") // the second attempt
}

// TestCoalescing: a device that does not acknowledge has one notice in flight, and then gets one of the latest state.
func TestCoalescing(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	c := f.connect(packet.V5, "a", nil)
	c.subscribe(1, "notify")
	f.create("j0", "a")
	first := c.unacknowledged("notify")
	for _, id := range []string{"j1", "j2", "j3", "j4"} {
		f.create(id, "a")
	}
	c.quiet()
	c.send(packet.AppendPuback(nil, c.v, packet.Puback{ID: first.ID}))
	if got := c.message("notify")["jobs"].(map[string]any)["QUEUED"].([]any); len(got) != 5 {
		t.Fatal(got)
	}
	c.quiet()
}

// persistent asks for a session that outlives its connection.
func persistent(m *packet.Connect) {
	m.Clean = false
	if m.Version == packet.V5 {
		m.Properties.SetNumber(packet.SessionExpiry, 300)
	}
}

// TestResume: changes during a disconnection give one notice at the reconnect, of the latest state.
func TestResume(t *testing.T) {
	both(t, func(t *testing.T, v packet.Version) {
		f := newFixture(t, nil)
		f.things("a")
		c := f.connect(v, "a", persistent)
		if c.ack.SessionPresent {
			t.Fatal("there is a session before the first connection")
		}
		c.subscribe(1, "notify-next")
		_ = c.Close()
		f.create("one", "a")
		f.create("two", "a")
		c = f.connect(v, "a", persistent)
		if !c.ack.SessionPresent {
			t.Fatal("the session is gone")
		}
		if got := jobOf(c.message("notify-next")); got != "one" {
			t.Fatalf("%q", got)
		}
		c.quiet()
		_ = c.Close()
		c = f.connect(v, "a", persistent) // nothing has changed: no notice
		c.quiet()
		f.create("zero", "a")
		c.quiet() // not the next one
		_ = c.Close()
		c = f.connect(v, "a", nil) // a clean session
		if c.ack.SessionPresent {
			t.Fatal("a clean session was there before")
		}
		f.ok(f.DeleteJob(bg, time.Now(), jobs.DeleteJobRequest{ID: "one", Force: true}))
		c.quiet()
	})
}

// TestUnacknowledgedIsSentAgain: an unacknowledged notice is sent again, because it may not have arrived.
func TestUnacknowledgedIsSentAgain(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	c := f.connect(packet.V311, "a", persistent)
	c.subscribe(1, "notify-next")
	f.create("one", "a")
	c.unacknowledged("notify-next")
	_ = c.Close()
	c = f.connect(packet.V311, "a", persistent)
	if got := jobOf(c.message("notify-next")); got != "one" {
		t.Fatalf("%q", got)
	}
}

// TestTakeover: the client id's new connection ends the old one, and takes over its session.
func TestTakeover(t *testing.T) {
	both(t, func(t *testing.T, v packet.Version) {
		f := newFixture(t, nil)
		f.things("a")
		old := f.connect(v, "a", persistent)
		old.subscribe(1, "notify-next")
		c := f.connect(v, "a", persistent)
		if !c.ack.SessionPresent {
			t.Fatal("the session was not taken over")
		}
		old.ends(packet.SessionTakenOver)
		f.create("one", "a")
		if got := jobOf(c.message("notify-next")); got != "one" {
			t.Fatalf("%q", got)
		}
	})
}

// TestTakeoverEndsSession: a session that ends with its connection also ends when that is taken over. Its subscriptions end
// with it.
func TestTakeoverEndsSession(t *testing.T) {
	both(t, func(t *testing.T, v packet.Version) {
		f := newFixture(t, nil)
		f.things("a")
		ending := map[string]func(*packet.Connect){"clean": nil}
		if v == packet.V5 {
			ending["not clean, session expiry 0"] = func(m *packet.Connect) { m.Clean = false }
		}
		for name, edit := range ending {
			old := f.connect(v, "a", edit)
			old.subscribe(1, "notify-next")
			c := f.connect(v, "a", persistent)
			if c.ack.SessionPresent {
				t.Errorf("%s: the session was resumed", name)
			}
			old.ends(packet.SessionTakenOver)
			f.create("one", "a")
			c.quiet()
			f.ok(f.DeleteJob(bg, time.Now(), jobs.DeleteJobRequest{ID: "one", Force: true}))
			c.subscribe(1, "notify-next")
			again := f.connect(v, "a", persistent) // c's own session outlives it
			if !again.ack.SessionPresent {
				t.Errorf("%s: the session that followed was not resumed", name)
			}
			c.ends(packet.SessionTakenOver)
			_ = f.connect(v, "a", nil).Close()
		}
	})
}

// TestExpiryInDisconnect: a DISCONNECT may change the session's expiry, but not raise it from 0.
func TestExpiryInDisconnect(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	g := func(expiry uint32, edit func(*packet.Connect), ends packet.Reason, kept bool) {
		t.Helper()
		c := f.connect(packet.V5, "a", edit)
		var d packet.Disconnect
		d.Properties.SetNumber(packet.SessionExpiry, expiry)
		c.send(packet.AppendDisconnect(nil, c.v, &d))
		c.ends(ends)
		c = f.connect(packet.V5, "a", persistent)
		if c.ack.SessionPresent != kept {
			t.Errorf("expiry %d: session present is %v", expiry, c.ack.SessionPresent)
		}
		_ = c.Close()
	}
	g(300, persistent, 0, true)
	g(600, persistent, 0, true)
	g(0, persistent, 0, false)
	g(0, nil, 0, false)
	g(300, nil, packet.ProtocolError, false)
}

// TestThingDeleted: the thing's connection ends, and its session is dropped.
func TestThingDeleted(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a", "b")
	a, b := f.connect(packet.V5, "a", persistent), f.connect(packet.V5, "b", nil)
	f.ok(f.DeleteThing(bg, time.Now(), "a", 0))
	a.ends(packet.NotAuthorized)
	b.quiet()
	if again := f.connect(packet.V5, "a", persistent); again.ack.SessionPresent {
		t.Error("the session of a deleted thing is still there")
	}
}

// TestAgreed checks CONNACK in MQTT 5.
func TestAgreed(t *testing.T) {
	f := newFixture(t, func(c *mqtt.Config) { c.SessionExpiry = time.Minute })
	c := f.connect(packet.V5, "a", func(m *packet.Connect) {
		m.KeepAlive = 0
		m.Properties.SetNumber(packet.SessionExpiry, 3600)
	})
	for id, want := range map[packet.Property]uint32{
		packet.SessionExpiry: 60, packet.ServerKeepAlive: 1200, packet.MaximumQoS: 1, packet.SharedAvailable: 0,
		packet.SubscriptionIDs5: 0, packet.MaximumPacketSize: 128<<10 + 4<<10,
	} {
		if got := c.ack.Properties.Number(id, 99); got != want {
			t.Errorf("property %#x is %d, want %d", id, got, want)
		}
	}
	will := func(m *packet.Connect) {
		m.Will = packet.Will{Topic: []byte("any/topic"), Payload: []byte("gone"), QoS: 1, Retain: true}
	}
	c = f.connect(packet.V5, "b", will) // accepted and ignored
	if got := c.ack.Properties.Number(packet.ServerKeepAlive, 0); got != 0 {
		t.Errorf("the server overrides a keep-alive of 60 s with %d s", got)
	}
}

// TestSmallClient: an answer that is too large for the client is rejected, a notice is sent without its document.
func TestSmallClient(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	c := f.connect(packet.V5, "a", func(m *packet.Connect) { m.Properties.SetNumber(packet.MaximumPacketSize, 300) })
	c.subscribe(1, "notify-next")
	f.createWith("big", func(r *jobs.CreateJobRequest) { r.Document = `{"text":"` + longText(500) + `"}` }, "a")
	m := c.message("notify-next")
	if e := m["execution"].(map[string]any); jobOf(m) != "big" || e["jobDocument"] != nil {
		t.Fatal(m)
	}
	if got := c.ask("start-next", ``, "rejected"); got["code"] != "InvalidRequest" {
		t.Fatal(got)
	}
}

func longText(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'x'
	}
	return string(b)
}

// TestUnacknowledgedAndUndone: a notice arrived, its acknowledgement was lost, and then its change was undone.
func TestUnacknowledgedAndUndone(t *testing.T) {
	f := newFixture(t, nil)
	f.things("a")
	c := f.connect(packet.V311, "a", persistent)
	c.subscribe(1, "notify-next")
	f.create("one", "a")
	c.unacknowledged("notify-next")
	_ = c.Close()
	f.ok(f.DeleteJob(bg, time.Now(), jobs.DeleteJobRequest{ID: "one", Force: true}))
	c = f.connect(packet.V311, "a", persistent)
	if got := jobOf(c.message("notify-next")); got != "" {
		t.Fatalf("%q", got)
	}
}
