//go:build linux

package mqtt_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"jobgate/gateway/jobs/mqtt/packet"
	"jobgate/gateway/servertest"
)

const parkSoon = 50 * time.Millisecond

// parks waits until at most n connections have a goroutine.
func parks(t *testing.T, n int) {
	t.Helper()
	servertest.Eventually(t, fmt.Sprintf("at most %d connections have a goroutine", n), func() bool { return serving(t) <= n })
}

// halves is a connection that sends a part of each write, and the rest on request.
type halves struct {
	net.Conn
	first int // bytes that are sent at once; 0: all
	rest  []byte
}

func (h *halves) Write(b []byte) (int, error) {
	if h.first == 0 {
		return h.Conn.Write(b)
	}
	h.rest = slices.Clone(b[h.first:])
	_, err := h.Conn.Write(b[:h.first])
	return len(b), err
}

func (h *halves) complete() error {
	h.first = 0
	_, err := h.Conn.Write(h.rest)
	return err
}

// TestParkedTLS: a device that was silent behind TLS gets answers, however its packets are split into records, and notices.
func TestParkedTLS(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, v packet.Version) {
		s := newSecureWith(t, parkSoon)
		s.things("a")
		sock, err := net.Dial("tcp", s.address)
		s.ok(err)
		h := &halves{Conn: sock}
		c := s.over(tls.Client(h, s.tls(s.ca.sign("a", time.Now().Add(time.Hour)))), v, "a")
		c.connect(nil)
		c.subscribe(1, "notify-next")
		parks(t, 0)
		c.quiet() // PINGREQ
		parks(t, 0)
		s.create("j", "a")
		if got := jobOf(c.message("notify-next")); got != "j" {
			t.Fatal(got)
		}
		parks(t, 0)
		// A packet in two records; the first one wakes the connection.
		c.send([]byte{byte(packet.PINGREQ) << 4})
		time.Sleep(4 * parkSoon)
		if serving(t) != 1 {
			t.Error("half a packet is parked")
		}
		c.send([]byte{0})
		if p := c.recv(); p.Type != packet.PINGRESP {
			t.Fatal(p.Type)
		}
		parks(t, 0)
		// A record in two parts.
		for _, first := range []int{3, 8} { // in its header, in its body
			h.first = first
			c.send(packet.AppendPingreq(nil))
			time.Sleep(4 * parkSoon)
			s.ok(h.complete())
			if p := c.recv(); p.Type != packet.PINGRESP {
				t.Fatal(p.Type)
			}
			parks(t, 0)
		}
		// Many packets at once, followed by half of one.
		request := packet.Publish{QoS: 1, ID: 100, Topic: []byte(c.topic("j/get"))}
		b := packet.AppendPublish(packet.AppendPingreq(packet.AppendPingreq(nil)), v, &request)
		c.send(append(b, byte(packet.PINGREQ)<<4))
		for range 2 {
			if p := c.recv(); p.Type != packet.PINGRESP {
				t.Fatal(p.Type)
			}
		}
		c.puback(100)
		if got := jobOf(c.message("j/get/accepted")); got != "j" {
			t.Error(got)
		}
		c.send([]byte{0})
		if p := c.recv(); p.Type != packet.PINGRESP {
			t.Fatal(p.Type)
		}
	})
}

// TestParkedEnds: a parked connection ends for the same reasons as others: its keep-alive, its certificate's expiry or
// revocation, its thing's deletion, a takeover. The client gets the reason.
func TestParkedEnds(t *testing.T) {
	t.Parallel()
	s := newSecureWith(t, parkSoon)
	names := []string{"silent", "ending", "revoked", "deleted", "taken"}
	s.things(names...)
	soon := time.Now().Add(time.Hour)
	certificates, clients := map[string]tls.Certificate{}, map[string]*client{}
	for _, name := range names {
		ends := soon
		if name == "ending" {
			ends = time.Now().Add(3 * time.Second)
		}
		certificates[name] = s.ca.sign(name, ends)
		clients[name] = s.client(packet.V5, certificates[name], name, func(m *packet.Connect) {
			if name == "silent" {
				m.KeepAlive = 2
			}
		})
	}
	parks(t, 0)
	s.file("revoked.crl", s.ca.revoke(certificates["revoked"]))
	s.authorities.Reload(s.server)
	clients["revoked"].ends(packet.NotAuthorized)
	s.ok(s.DeleteThing(bg, time.Now(), "deleted", 0))
	clients["deleted"].ends(packet.NotAuthorized)
	s.client(packet.V5, certificates["taken"], "taken", nil)
	clients["taken"].ends(packet.SessionTakenOver)
	clients["ending"].ends(packet.NotAuthorized)
	clients["silent"].ends(packet.KeepAliveTimeout)
}

// TestParkedResumed: a connection with a resumed TLS session parks like any other.
func TestParkedResumed(t *testing.T) {
	t.Parallel()
	s := newSecureWith(t, parkSoon)
	config := s.tls(s.ca.sign("a", time.Now().Add(time.Hour)))
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for i := range 3 {
		conn, err := tls.Dial("tcp", s.address, config)
		s.ok(err)
		if conn.ConnectionState().DidResume != (i > 0) {
			t.Fatalf("connection %d resumed: %v", i, conn.ConnectionState().DidResume)
		}
		c := s.over(conn, packet.V5, "a")
		c.connect(nil)
		parks(t, 0)
		c.quiet()
		parks(t, 0)
		s.ok(c.Close())
	}
}
