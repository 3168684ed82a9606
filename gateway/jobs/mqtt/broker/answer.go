package broker

import (
	"context"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/tracing"
)

// request is a message of a device.
type request struct {
	client *paho.Client // that received it
	packet *paho.Publish
	topic  dispatch.Topic
}

// publishWait is how long the broker has to accept a message.
const publishWait = 10 * time.Second

// serve handles the requests of a lane, one after the other, until ctx ends.
func (b *Client) serve(ctx context.Context, lane <-chan request) {
	var buffer []byte
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-lane:
			buffer = b.answer(ctx, &r, buffer[:0])
		}
	}
}

// answer answers one request and acknowledges it. If the broker does not accept the answer, the request is not acknowledged
// and will be delivered again, to this gateway or another.
func (b *Client) answer(ctx context.Context, r *request, buffer []byte) []byte {
	thing := string(r.topic.Thing)
	if strings.HasPrefix(thing, probeThing) || r.packet.Retain || !dispatch.IsThingName(r.topic.Thing) {
		_ = r.client.Ack(r.packet) // the connection may be gone
		return buffer
	}
	asked := dispatch.Request{Thing: thing, Topic: r.topic, Payload: r.packet.Payload, Now: time.Now()}
	if properties := r.packet.Properties; b.config.Tracer != nil && properties != nil {
		asked.Sender = tracing.Context{Parent: properties.User.Get(tracing.Parent), State: properties.User.Get(tracing.State)}
	}
	buffer, code := b.dispatcher.Answer(buffer, &asked)
	b.config.Request(code, time.Since(asked.Now))
	suffix := "/accepted"
	if code != dispatch.Accepted {
		suffix = "/rejected"
	}
	if err := b.publish(ctx, r.packet.Topic+suffix, min(r.packet.QoS, 1), buffer); err != nil {
		b.config.Log.Warn("mqtt: the broker did not accept an answer", "broker", b.address.Host, "thing", thing, "error", err)
		return buffer
	}
	_ = r.client.Ack(r.packet)
	return buffer
}

// publish sends a message to the broker; with QoS 1 it waits for the acknowledgement.
func (b *Client) publish(ctx context.Context, topic string, qos byte, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	_, err := b.manager.Publish(ctx, &paho.Publish{Topic: topic, QoS: qos, Payload: payload})
	return err
}
