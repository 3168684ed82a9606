package mqtt

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"time"

	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/packet"
)

// connect answers CONNECT. An error ends the connection; a refused client has received its reason.
func (c *conn) connect(p packet.Packet, w *writer) error {
	var m packet.Connect
	if err := packet.ParseConnect(p.Body, &m); err != nil {
		return err
	}
	w.now = time.Now()
	c.version = m.Version
	ack := packet.Connack{Reason: c.admit(&m, w.now)}
	thing, clientID := "", ""
	if ack.Reason == packet.Success {
		thing, clientID, ack.Reason = c.identify(&m)
	}
	if ack.Reason == packet.Success {
		ack.Reason = c.agree(&m, thing, clientID, &ack, w.now)
	}
	if ack.Reason == packet.Success && c.edge != nil && !c.edge.Accept() {
		ack.Reason, ack.SessionPresent = packet.ServerBusy, false
	}
	w.out = packet.AppendConnack(w.out, c.version, &ack)
	if ack.Reason != packet.Success {
		return &packet.Error{Reason: ack.Reason, Text: "CONNECT was refused: " + ack.Reason.String()}
	}
	c.begun.Store(true)
	c.server.opened(c)
	if ack.SessionPresent {
		c.dirty.Store(true)
	}
	return nil
}

// admit reports whether a CONNECT is supported and within the rate.
func (c *conn) admit(m *packet.Connect, now time.Time) packet.Reason {
	switch {
	case !c.server.rate.allow(now):
		return packet.ConnectionRateExceeded
	case m.Properties.Has(packet.AuthenticationMethod):
		return packet.BadAuthenticationMethod
	case m.Version == packet.V5 && m.Will.QoS == 2:
		return packet.QoSNotSupported
	}
	return packet.Success
}

// identify returns the client's thing and client id.
func (c *conn) identify(m *packet.Connect) (thing, clientID string, reason packet.Reason) {
	if c.server.config.Identify == nil {
		if !dispatch.IsThingName(m.ClientID) {
			return "", "", packet.ClientIDNotValid
		}
		return string(m.ClientID), string(m.ClientID), packet.Success
	}
	chains := c.chains()
	if len(chains) == 0 {
		return "", "", packet.NotAuthorized
	}
	thing, err := c.server.config.Identify(chains)
	if err != nil || !dispatch.IsThingName([]byte(thing)) {
		return "", "", packet.NotAuthorized
	}
	if len(m.ClientID) > maxClientID || bytes.ContainsAny(m.ClientID, "\x00") {
		return "", "", packet.ClientIDNotValid
	}
	c.certificate = chains[0][0].NotAfter.Unix()
	if len(m.ClientID) == 0 {
		return thing, newClientID(), packet.Success
	}
	return thing, string(m.ClientID), packet.Success
}

// maxClientID is AWS's bound, in bytes.
const maxClientID = 128

// chains returns the verified chains of the client's certificate; none if it has no certificate.
func (c *conn) chains() [][]*x509.Certificate {
	if s, ok := c.net.(secured); ok {
		return s.ConnectionState().VerifiedChains
	}
	return nil
}

// newClientID returns an id for a client without one.
func newClientID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return "auto-" + hex.EncodeToString(b[:])
}

// agree attaches a session and sets the connection's parameters in ack.
func (c *conn) agree(m *packet.Connect, thing, clientID string, ack *packet.Connack, now time.Time) packet.Reason {
	expiry := c.expiry(m)
	resumed, before, ok := c.server.sessions.attach(c, thing, clientID, m.Clean, expiry, now)
	if !ok {
		return packet.QuotaExceeded
	}
	if c.closed.Load() { // closed by another goroutine before it had a session
		c.server.sessions.detach(c, now)
		return packet.ServerShuttingDown
	}
	if before != nil {
		c.server.background(func() { before.kick(packet.SessionTakenOver) })
	}
	keepAlive := uint32(m.KeepAlive)
	if keepAlive == 0 || keepAlive > maxKeepAlive {
		keepAlive = maxKeepAlive
		ack.Properties.SetNumber(packet.ServerKeepAlive, keepAlive)
	}
	c.idle = keepAlive + keepAlive/2
	c.seen.Store(now.Unix())
	c.window = uint16(min(maxInflight, m.Properties.Number(packet.ReceiveMaximum, maxInflight)))
	c.maxPacket = m.Properties.Number(packet.MaximumPacketSize, 0)
	ack.SessionPresent = resumed
	p := &ack.Properties
	if expiry != m.Properties.Number(packet.SessionExpiry, 0) {
		p.SetNumber(packet.SessionExpiry, expiry)
	}
	if len(m.ClientID) == 0 {
		p.SetText(packet.AssignedClientID, []byte(clientID))
	}
	p.SetNumber(packet.MaximumQoS, 1)
	p.SetNumber(packet.MaximumPacketSize, uint32(c.server.packetLimit))
	p.SetNumber(packet.SubscriptionIDs5, 0)
	p.SetNumber(packet.SharedAvailable, 0)
	return packet.Success
}

// expiry returns how long the session outlives its connection, in seconds: as requested, within the bound.
func (c *conn) expiry(m *packet.Connect) uint32 {
	most := uint32(c.server.config.SessionExpiry / time.Second)
	switch {
	case m.Version == packet.V5:
		return min(most, m.Properties.Number(packet.SessionExpiry, 0))
	case m.Clean:
		return 0
	}
	return most
}

// rate admits perSecond events a second.
type rate struct {
	perSecond int64 // 0: all
	second    counter
	used      counter
}

func (r *rate) allow(now time.Time) bool {
	if r.perSecond == 0 {
		return true
	}
	if last := r.second.Load(); last != now.Unix() && r.second.CompareAndSwap(last, now.Unix()) {
		r.used.Store(0)
	}
	return r.used.Add(1) <= r.perSecond
}
