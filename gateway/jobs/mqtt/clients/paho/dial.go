package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// client5 is the client of paho.golang, for MQTT 5.
type client5 struct{ *paho.Client }

func dial5(thing string, arrived chan<- message) (client, error) {
	host, secure, err := address(thing)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var conn net.Conn
	if secure == nil {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", host)
	} else if conn, err = (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", host); err == nil {
		conn = packets.NewThreadSafeConn(conn)
	}
	if err != nil {
		return nil, err
	}
	c := paho.NewClient(paho.ClientConfig{Conn: conn, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
		func(p paho.PublishReceived) (bool, error) {
			arrived <- message{p.Packet.Topic, p.Packet.Payload}
			return true, nil
		},
	}})
	if _, err := c.Connect(ctx, &paho.Connect{ClientID: thing, KeepAlive: 30, CleanStart: true}); err != nil {
		return nil, err
	}
	return client5{c}, nil
}

func (c client5) subscribe(topics ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s := &paho.Subscribe{}
	for _, topic := range topics {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: topic, QoS: 1})
	}
	_, err := c.Subscribe(ctx, s) // a failure reason code is an error
	return err
}

func (c client5) publish(topic string, payload []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, err := c.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: payload})
	return err
}

func (c client5) close() { _ = c.Disconnect(&paho.Disconnect{}) }

// client311 is the client of paho.mqtt.golang, for MQTT 3.1.1.
type client311 struct{ mqtt.Client }

func dial311(thing string, arrived chan<- message) (client, error) {
	host, secure, err := address(thing)
	if err != nil {
		return nil, err
	}
	o := mqtt.NewClientOptions().SetClientID(thing).SetProtocolVersion(4).SetAutoReconnect(false).SetConnectTimeout(timeout)
	o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) { arrived <- message{m.Topic(), m.Payload()} })
	if secure != nil {
		o.AddBroker("ssl://" + host).SetTLSConfig(secure)
	} else {
		o.AddBroker("tcp://" + host)
	}
	c := mqtt.NewClient(o)
	return client311{c}, done("CONNECT", c.Connect())
}

// done waits for the acknowledgement.
func done(what string, token mqtt.Token) error {
	if !token.WaitTimeout(timeout) {
		return fmt.Errorf("%s was not acknowledged within %v", what, timeout)
	}
	return token.Error()
}

func (c client311) subscribe(topics ...string) error {
	filters := map[string]byte{}
	for _, topic := range topics {
		filters[topic] = 1
	}
	token := c.SubscribeMultiple(filters, nil)
	if err := done("SUBSCRIBE", token); err != nil {
		return err
	}
	for topic, qos := range token.(*mqtt.SubscribeToken).Result() {
		if qos != 1 {
			return fmt.Errorf("the subscription to %s was answered with %#x", topic, qos)
		}
	}
	return nil
}

func (c client311) publish(topic string, payload []byte) error {
	return done("PUBLISH", c.Publish(topic, 1, false, payload))
}

func (c client311) close() { c.Disconnect(250) }
