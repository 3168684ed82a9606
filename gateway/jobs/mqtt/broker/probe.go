package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
)

// finding is the result of a probe of a broker.
type finding struct {
	shares   bool // a shared subscription on the prefix delivers
	stranger access
}

// access is whether a client without a password and a certificate can write to a thing's topics.
type access uint8

const (
	notChecked access = iota // inconclusive: nothing arrived, and nothing was refused
	denied
	allowed
)

// probeThing is the prefix of the thing that probes are sent to; no gateway answers for it.
const probeThing = "jobgate-probe-"

// probeWait is how long the delivery of a probe may take.
const probeWait = 2 * time.Second

// probe sends messages to a topic of a thing that does not exist and checks which of them are delivered.
func (b *Client) probe(ctx context.Context) (finding, error) {
	thing := probeThing + random()
	arrived := make(chan string, 16)
	own, err := b.dial(ctx, caller{id: "jobgate-probe-" + random(), own: true, username: b.config.Username}, func(p paho.PublishReceived) (bool, error) {
		select {
		case arrived <- string(p.Packet.Payload):
		default:
		}
		return true, nil
	})
	if err != nil {
		return finding{}, err
	}
	defer func() { _ = own.Disconnect(&paho.Disconnect{}) }() // no longer needed
	f := finding{shares: true}
	topic := b.config.Prefix + "/things/" + thing + "/jobs/" + random() + "/get"
	if share := b.config.Share; share != "" {
		f.shares = b.delivered(ctx, own, "$share/"+share+"-probe-"+random()+"/"+b.config.Prefix+"/things/+/jobs/+/get", topic, arrived)
	}
	f.stranger = b.stranger(ctx, own, topic, "", arrived)
	if name := b.config.ProbeUsername; name != "" && f.stranger != allowed {
		if named := b.stranger(ctx, own, topic, name, arrived); named != denied {
			f.stranger = named
		}
	}
	return f, nil
}

// delivered reports whether a message to a topic is delivered for a filter.
func (b *Client) delivered(ctx context.Context, c *paho.Client, filter, topic string, arrived <-chan string) bool {
	subscription := &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}}
	if _, err := c.Subscribe(ctx, subscription); err != nil {
		return false
	}
	defer func() { _, _ = c.Unsubscribe(ctx, &paho.Unsubscribe{Topics: []string{filter}}) }() // the connection ends soon
	word := random()
	if _, err := c.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: []byte(word)}); err != nil {
		return false
	}
	return arrives(word, arrived)
}

// arrives reports whether word arrives in time.
func arrives(word string, arrived <-chan string) bool {
	timer := time.NewTimer(probeWait)
	defer timer.Stop()
	for {
		select {
		case got := <-arrived:
			if got == word {
				return true
			}
		case <-timer.C:
			return false
		}
	}
}

// stranger reports whether a client without credentials, or with only a user name, can write to a topic. own subscribes
// to it.
func (b *Client) stranger(ctx context.Context, own *paho.Client, topic, username string, arrived <-chan string) access {
	subscription := &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}}}
	if _, err := own.Subscribe(ctx, subscription); err != nil {
		return notChecked
	}
	other, err := b.dial(ctx, caller{id: "stranger-" + random(), username: username}, nil)
	var refused *refusal
	if errors.As(err, &refused) {
		return denied
	}
	if err != nil {
		return notChecked
	}
	defer func() { _ = other.Disconnect(&paho.Disconnect{}) }() // no longer needed
	word := random()
	response, err := other.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: []byte(word)})
	if response != nil && response.ReasonCode >= 0x80 {
		return denied
	}
	if err != nil {
		return notChecked
	}
	if arrives(word, arrived) {
		return allowed
	}
	return notChecked
}

// refusal is the error of a CONNECT that the broker refused with a reason.
type refusal struct{ error }

// caller is the client that connects: the gateway, with its password and certificate, or one with neither.
type caller struct {
	id, username string
	own          bool
}

// dial connects to the broker once.
func (b *Client) dial(ctx context.Context, as caller, handle func(paho.PublishReceived) (bool, error)) (*paho.Client, error) {
	conn, err := b.open(ctx, as.own)
	if err != nil {
		return nil, err
	}
	config := paho.ClientConfig{ClientID: as.id, Conn: conn}
	if handle != nil {
		config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){handle}
	}
	c := paho.NewClient(config)
	connect := &paho.Connect{ClientID: as.id, KeepAlive: 30, CleanStart: true}
	if as.username != "" {
		connect.Username, connect.UsernameFlag = as.username, true
	}
	if as.own && b.config.Password != nil {
		if connect.Password, err = b.config.Password(); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		connect.PasswordFlag = true
	}
	ack, err := c.Connect(ctx, connect)
	if err != nil {
		_ = conn.Close()
		if ack != nil && ack.ReasonCode >= 0x80 {
			return nil, &refusal{err}
		}
		return nil, err
	}
	return c, nil
}

// open dials; an unknown client shows no certificate.
func (b *Client) open(ctx context.Context, known bool) (net.Conn, error) {
	host := b.address.Host
	if b.address.Scheme == "mqtt" {
		if b.address.Port() == "" {
			host = net.JoinHostPort(b.address.Hostname(), "1883")
		}
		return new(net.Dialer).DialContext(ctx, "tcp", host)
	}
	if b.address.Port() == "" {
		host = net.JoinHostPort(b.address.Hostname(), "8883")
	}
	config := b.config.TLS.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if !known {
		config.Certificates, config.GetClientCertificate = nil, nil
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	return packets.NewThreadSafeConn(conn), nil
}

// report logs a probe's findings in one line.
func (b *Client) report(f finding) {
	share, strangers := "works", "not checked"
	switch {
	case b.config.Share == "":
		share = "off"
	case !f.shares:
		share = "swallowed by the broker: this gateway subscribes by itself, and must be the only one"
	}
	switch f.stranger {
	case denied:
		strangers = "kept out"
	case allowed:
		strangers = "can write to every thing's topics: the broker needs an ACL"
	case notChecked:
	}
	log := b.config.Log.Info
	if !f.shares || f.stranger == allowed {
		log = b.config.Log.Warn
	}
	log("mqtt: probed the broker", "broker", b.address.Host, "prefix", b.config.Prefix, "shared_subscription", share, "strangers", strangers)
}
