package mqtt

import (
	"errors"
	"testing"
	"time"

	"jobgate/gateway/jobs/mqtt/packet"
)

// TestTakenOver: a connection that was taken over, and is not closed yet, no longer changes its session.
func TestTakenOver(t *testing.T) {
	s := &Server{config: Config{SessionExpiry: time.Hour}}
	attach := func() *conn {
		c := &conn{server: s}
		c.version = packet.V5
		s.sessions.attach(c, "a", "a", false, 300, time.Now())
		return c
	}
	old := attach()
	held := old.held.Load()
	held.subscribe([]byte("jobs/notify"), 1)
	owner := attach()
	if owner.held.Load() != held {
		t.Fatal("the session was not taken over")
	}
	f := func(name string, b []byte, handle func(packet.Packet) error, want error) {
		t.Helper()
		p, _, err := packet.Split(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := handle(p); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if held.expiry != 300 || len(held.subs) != 1 || held.conn != owner {
			t.Errorf("%s changed the session: expiry %d, %d subscriptions", name, held.expiry, len(held.subs))
		}
	}
	bye := packet.Disconnect{}
	bye.Properties.SetNumber(packet.SessionExpiry, 0)
	f("DISCONNECT", packet.AppendDisconnect(nil, packet.V5, &bye), old.disconnected, errBye)
	f("UNSUBSCRIBE", packet.AppendUnsubscribe(nil, packet.V5, 1, [][]byte{[]byte("$aws/things/a/jobs/notify")}),
		func(p packet.Packet) error { return old.unsubscribe(p, &writer{conn: old}) }, errTakenOver)
}
