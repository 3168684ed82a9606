package oracle

import (
	"math/rand/v2"

	"jobgate/gateway/jobs/mqtt/packet"
)

// generator writes random valid packets of a version.
type generator struct {
	*rand.Rand
	v packet.Version
}

func (g generator) yes() bool { return g.IntN(2) == 0 }

// text returns a word: sometimes a long one, sometimes one beyond ASCII.
func (g generator) text() []byte {
	letters := []rune("abcdefghijklmnopqrstuvwxyz0123456789-_:äß→😀")
	n := 1 + g.IntN(12)
	if g.IntN(50) == 0 {
		n = 1000 + g.IntN(20000)
	}
	word := make([]rune, n)
	for i := range word {
		word[i] = letters[g.IntN(len(letters))]
	}
	return []byte(string(word))
}

func (g generator) id() uint16 { return uint16(1 + g.IntN(65535)) }

// number sometimes sets a property.
func (g generator) number(p *packet.Properties, id packet.Property, most int) {
	if g.v == packet.V5 && g.IntN(3) == 0 {
		p.SetNumber(id, uint32(1+g.IntN(most)))
	}
}

func (g generator) word(p *packet.Properties, id packet.Property) {
	if g.v == packet.V5 && g.IntN(3) == 0 {
		p.SetText(id, g.text())
	}
}

// packet writes one packet.
func (g generator) packet() []byte {
	switch g.IntN(9) {
	case 0:
		return g.connect()
	case 1:
		c := packet.Connack{SessionPresent: g.yes()}
		g.number(&c.Properties, packet.SessionExpiry, 1<<31)
		g.number(&c.Properties, packet.ServerKeepAlive, 65535)
		g.word(&c.Properties, packet.AssignedClientID)
		g.word(&c.Properties, packet.ReasonString)
		return packet.AppendConnack(nil, g.v, &c)
	case 2, 3:
		return g.publish()
	case 4:
		return packet.AppendPuback(nil, g.v, packet.Puback{ID: g.id(), Reason: packet.NotAuthorized * packet.Reason(g.IntN(2))})
	case 5:
		list := make([]packet.Subscription, 1+g.IntN(4))
		for i := range list {
			list[i] = packet.Subscription{Filter: g.text(), QoS: uint8(g.IntN(3))}
			if g.v == packet.V5 {
				list[i].NoLocal, list[i].RetainAsPublished, list[i].RetainHandling = g.yes(), g.yes(), uint8(g.IntN(3))
			}
		}
		var p packet.Properties
		g.number(&p, packet.SubscriptionID, packet.MaxLength)
		return packet.AppendSubscribe(nil, g.v, g.id(), &p, list)
	case 6:
		return packet.AppendUnsubscribe(nil, g.v, g.id(), [][]byte{g.text(), g.text()})
	case 7:
		return packet.AppendSuback(nil, g.v, g.id(), []packet.Reason{packet.GrantedQoS1, packet.NotAuthorized})
	}
	var d packet.Disconnect
	if g.v == packet.V5 && g.yes() {
		d.Reason = packet.SessionTakenOver
		g.number(&d.Properties, packet.SessionExpiry, 1<<31)
		g.word(&d.Properties, packet.ReasonString)
	}
	return packet.AppendDisconnect(nil, g.v, &d)
}

func (g generator) connect() []byte {
	c := packet.Connect{Version: g.v, Clean: true, KeepAlive: uint16(g.IntN(65536)), ClientID: g.text()}
	g.number(&c.Properties, packet.SessionExpiry, 1<<31)
	g.number(&c.Properties, packet.ReceiveMaximum, 65535)
	g.number(&c.Properties, packet.MaximumPacketSize, 1<<31)
	g.word(&c.Properties, packet.AuthenticationMethod)
	if g.yes() {
		c.UserName = g.text()
		if g.yes() {
			c.Password = g.text()
		}
	}
	if g.yes() {
		c.Will = packet.Will{Topic: g.text(), Payload: g.text(), QoS: uint8(g.IntN(3)), Retain: g.yes()}
		g.number(&c.Will.Properties, packet.WillDelay, 1<<31)
		g.word(&c.Will.Properties, packet.CorrelationData)
	}
	return packet.AppendConnect(nil, &c)
}

func (g generator) publish() []byte {
	m := packet.Publish{QoS: uint8(g.IntN(3)), Retain: g.yes(), Topic: g.text(), Payload: g.text()}
	if m.QoS > 0 {
		m.ID, m.DUP = g.id(), g.yes()
	}
	g.number(&m.Properties, packet.MessageExpiry, 1<<31)
	g.number(&m.Properties, packet.TopicAlias, 65535)
	g.word(&m.Properties, packet.ContentType)
	g.word(&m.Properties, packet.ResponseTopic)
	g.word(&m.Properties, packet.CorrelationData)
	return packet.AppendPublish(nil, g.v, &m)
}
