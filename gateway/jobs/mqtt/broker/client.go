package broker

import (
	"context"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"jobgate/gateway/jobs/mqtt/dispatch"
)

// Client is the gateway's connection to a broker. It reconnects by itself. Close it.
type Client struct {
	config     Config
	address    *url.URL
	id         string
	dispatcher *dispatch.Dispatcher
	manager    *autopaho.ConnectionManager
	lanes      [lanes]chan request
	notices    notices
	caughtUp   atomic.Bool        // see catchUpAlways
	closed     atomic.Bool        // Close was called
	reach      chan chan struct{} // a sent channel is closed once all earlier events have marked their things
	probed     atomic.Pointer[finding]

	ended   <-chan struct{}
	stop    context.CancelFunc
	running sync.WaitGroup
}

// lanes is how many requests are handled at once; those of one thing use the same lane. Up to laneLength wait in each.
const (
	lanes      = 64
	laneLength = 16
	// received bounds the unacknowledged requests from the broker (5 §3.3.4).
	received = lanes * laneLength
)

// New returns a Client that connects in the background, with retries.
func New(c Config) (*Client, error) {
	address, err := c.address()
	if err != nil {
		return nil, err
	}
	b := &Client{config: c, address: address, id: "jobgate-" + random(), reach: make(chan chan struct{})}
	b.notices.kick, b.notices.learning = make(chan struct{}, 1), c.Place != nil
	if b.dispatcher, err = dispatch.New(dispatch.Config{Service: c.Service, Documents: c.Documents, Log: c.Log, Tracer: c.Tracer}); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.ended = stop, ctx.Done()
	for i := range b.lanes {
		b.lanes[i] = make(chan request, laneLength)
		b.running.Go(func() { b.serve(ctx, b.lanes[i]) })
	}
	if b.manager, err = autopaho.NewConnection(ctx, b.settings()); err != nil {
		stop()
		return nil, err
	}
	b.running.Go(func() { b.follow(ctx) })
	return b, nil
}

// settings returns autopaho's configuration.
func (b *Client) settings() autopaho.ClientConfig {
	c := autopaho.ClientConfig{
		ServerUrls: []*url.URL{b.address}, TlsCfg: b.config.TLS, KeepAlive: 30, CleanStartOnInitialConnection: true,
		ConnectTimeout: 10 * time.Second, ReconnectBackoff: backoff, ConnectUsername: b.config.Username,
		OnConnectionUp: func(m *autopaho.ConnectionManager, _ *paho.Connack) { b.running.Go(func() { b.up(m) }) },
		OnConnectError: func(err error) {
			b.config.Log.Warn("mqtt: cannot connect to the broker", "broker", b.address.Host, "error", err)
		},
		ClientConfig: paho.ClientConfig{
			ClientID: b.id, EnableManualAcknowledgment: true,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){b.arrived},
		},
	}
	c.ConnectPacketBuilder = func(p *paho.Connect, _ *url.URL) (*paho.Connect, error) {
		most := uint16(received)
		if p.Properties == nil {
			p.Properties = &paho.ConnectProperties{}
		}
		p.Properties.ReceiveMaximum = &most
		if b.config.Password != nil {
			password, err := b.config.Password()
			if err != nil {
				return nil, err
			}
			p.Password, p.PasswordFlag = password, true
		}
		return p, nil
	}
	return c
}

// backoff returns the pause before the next attempt to connect: random, up to a minute, so that gateways do not reconnect
// together.
func backoff(attempt int) time.Duration {
	most := min(time.Minute, time.Second<<min(attempt, 6))
	return most/4 + rand.N(most*3/4)
}

// connectWait is how long the broker has to answer a subscription.
const connectWait = 10 * time.Second

// up subscribes after each connect.
func (b *Client) up(m *autopaho.ConnectionManager) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*connectWait)
	defer cancel()
	found := b.probed.Load()
	if found == nil {
		f, err := b.probe(ctx)
		if err != nil {
			b.config.Log.Warn("mqtt: cannot probe the broker", "broker", b.address.Host, "error", err)
			f = finding{shares: true, stranger: notChecked}
		}
		b.report(f)
		found = &f
		if err == nil {
			b.probed.Store(found)
		}
	}
	share := b.config.Share
	if !found.shares {
		share = ""
	}
	s := &paho.Subscribe{}
	for _, f := range filters(b.config.Prefix, share) {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: f, QoS: 1})
	}
	if _, err := m.Subscribe(ctx, s); err != nil {
		b.config.Log.Error("mqtt: the broker refuses the subscription", "broker", b.address.Host, "prefix", b.config.Prefix, "share", share, "error", err)
		return
	}
	b.config.Log.Info("mqtt: connected to the broker", "broker", b.address.Host, "prefix", b.config.Prefix, "share", share)
	b.notices.wake()
}

// arrived puts a request into its thing's lane. If the lane is full it blocks, which slows the broker down.
func (b *Client) arrived(p paho.PublishReceived) (bool, error) {
	topic, ok := dispatch.ParseTopic(b.config.Prefix, []byte(p.Packet.Topic))
	if !ok || p.AlreadyHandled {
		return false, p.Client.Ack(p.Packet)
	}
	h := uint32(2166136261) // FNV-1a
	for _, c := range topic.Thing {
		h = (h ^ uint32(c)) * 16777619
	}
	select {
	case b.lanes[h%lanes] <- request{p.Client, p.Packet, topic}:
	case <-b.ended:
	}
	return true, nil
}

// closeGrace is how long Close may still notify devices of earlier changes.
const closeGrace = 2 * time.Second

// Close ends the connection and waits for pending work.
func (b *Client) Close() {
	if b.config.Place != nil && b.caughtUp.Load() && !b.closed.Swap(true) {
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		_, _ = b.keepPlace(ctx, true) // otherwise devices get needless notices
		cancel()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = b.manager.Disconnect(ctx) // it may be down
	b.stop()
	b.running.Wait()
}
