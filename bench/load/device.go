package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"
	"jobgate/gateway/jobs/mqtt/packet"
)

// device lets a worker act as one thing on an MQTT connection. The session ends with its connection.
type device struct {
	version  packet.Version
	thing    uint32
	clientID []byte
	limit    int // of a packet, in bytes; 0: none
	alive    keepAlive
	in       []byte
	from, to int // the unread bytes of in
	acks     []byte

	id           uint16 // of the request
	token        uint64
	topic        []byte
	payload      []byte
	member       [2]int // position of the token's member in payload
	acknowledged bool
	answered     bool
	refusal      error // of the request, or nil
}

func newDevice(r *run, id int) *device {
	d := &device{version: packet.V5, thing: uint32(uint64(id) % r.plan.Things.Count), in: make([]byte, 1<<10)}
	if r.plan.V311 {
		d.version = packet.V311
	}
	d.alive.asked = r.plan.MQTTKeepAlive
	if r.plan.MaxBody > 0 {
		d.limit = r.plan.MaxBody + 1<<16
	}
	if r.flows[0].Steps[0].Request.UsesThing() && r.plan.Things.Count >= uint64(r.plan.Connections) {
		d.clientID = r.plan.Things.AppendTo(nil, d.thing)
	} else {
		d.clientID = fmt.Appendf(nil, "jobgate-bench-%d-%d", r.plan.Seed, id) // a certificate identifies it
	}
	return d
}

// openSession opens the session: CONNECT, and a subscription to notify-next and to all answers that the plan's flows ask for.
func (w *worker) openSession(ctx context.Context, now time.Duration) error {
	d := w.device
	d.from, d.to = 0, 0
	if err := w.conn.extend(now, w.run.plan.Timeout); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = w.conn.nc.Close() })() // the waiting reader sees the error
	if err := w.conn.write(packet.AppendConnect(nil, &packet.Connect{
		Version: d.version, Clean: true, ClientID: d.clientID, KeepAlive: uint16(d.alive.asked / time.Second),
	})); err != nil {
		return err
	}
	p, err := w.read()
	if err != nil {
		return fmt.Errorf("no answer to CONNECT: %w", err)
	}
	var ack packet.Connack
	if p.Type != packet.CONNACK {
		return fmt.Errorf("CONNECT was answered by a packet of type %d", p.Type)
	} else if err := packet.ParseConnack(p.Body, d.version, &ack); err != nil {
		return err
	} else if ack.Reason != packet.Success {
		return fmt.Errorf("CONNECT was refused with code %#x", uint8(ack.Reason))
	}
	d.alive.agree(&ack)
	return w.subscribe()
}

func (w *worker) subscribe() error {
	d := w.device
	filters := w.filters()
	var none packet.Properties
	if err := w.conn.write(packet.AppendSubscribe(nil, d.version, 1, &none, filters)); err != nil {
		return err
	}
	for {
		p, err := w.read()
		if err != nil {
			return fmt.Errorf("no answer to SUBSCRIBE: %w", err)
		}
		if p.Type != packet.SUBACK {
			if err := w.take(p); err != nil { // a notification may arrive first
				return err
			}
			continue
		}
		_, reasons, err := packet.ParseSuback(p, d.version)
		if err != nil {
			return err
		}
		for i, reason := range reasons {
			if reason >= byte(packet.UnspecifiedError) && i < len(filters) {
				return fmt.Errorf("the subscription to %s was refused with code %#x", filters[i].Filter, reason)
			}
		}
		return w.acknowledge()
	}
}

// filters are the device's subscriptions, without duplicates.
func (w *worker) filters() (list []packet.Subscription) {
	w.values.Thing = w.device.thing
	add := func(filter []byte) {
		for _, s := range list {
			if bytes.Equal(s.Filter, filter) {
				return
			}
		}
		list = append(list, packet.Subscription{Filter: filter, QoS: 1})
	}
	for i := range w.run.flows {
		for k := range w.run.flows[i].Steps {
			filter := w.run.flows[i].Steps[k].Request.AppendFilter(nil, &w.values)
			before, _, _ := bytes.Cut(filter, []byte("/jobs/"))
			add(append(bytes.Clone(before), "/jobs/notify-next"...))
			add(filter)
		}
	}
	return list
}

// publish writes a request of the worker's thing into w.out.
func (w *worker) publish(r *plan.Request) {
	d := w.device
	w.values.Thing = d.thing
	d.token++
	if d.id++; d.id == 0 {
		d.id = 1
	}
	d.topic = r.AppendTopic(d.topic[:0], &w.values)
	d.payload, d.member[0], d.member[1] = r.AppendPayload(d.payload[:0], d.token, &w.values)
	w.out = packet.AppendPublish(w.out[:0], d.version, &packet.Publish{QoS: 1, ID: d.id, Topic: d.topic, Payload: d.payload})
}

// awaitAnswer reads until the request is acknowledged and answered, and acknowledges what it received.
func (w *worker) awaitAnswer() error {
	d := w.device
	d.acknowledged, d.answered, d.refusal = false, false, nil
	for !d.acknowledged || !d.answered {
		p, err := w.read()
		if err == nil {
			err = w.take(p)
		}
		if err != nil {
			return err
		}
	}
	return w.acknowledge()
}

// take handles one packet.
func (w *worker) take(p packet.Packet) error {
	d := w.device
	switch p.Type {
	case packet.PUBACK:
		a, err := packet.ParsePuback(p.Body, d.version)
		if err != nil {
			return err
		}
		if a.ID != d.id {
			return fmt.Errorf("a PUBACK for packet %d, the request is %d", a.ID, d.id)
		}
		if d.acknowledged = true; a.Reason >= packet.UnspecifiedError {
			d.answered, d.refusal = true, fmt.Errorf("the request is refused with code %#x", uint8(a.Reason))
		}
	case packet.PUBLISH:
		return w.takeMessage(p)
	case packet.PINGRESP:
		d.alive.answered = true
	case packet.DISCONNECT:
		var m packet.Disconnect
		if err := packet.ParseDisconnect(p.Body, d.version, &m); err != nil {
			return err
		}
		return fmt.Errorf("the target disconnects with code %#x: %w", uint8(m.Reason), io.ErrUnexpectedEOF)
	default:
		return fmt.Errorf("nobody asked for a packet of type %d", p.Type)
	}
	return nil
}

// takeMessage keeps the answer to the request in w.resp; other messages are only acknowledged.
func (w *worker) takeMessage(p packet.Packet) error {
	d := w.device
	var m packet.Publish
	if err := packet.ParsePublish(p, d.version, &m); err != nil {
		return err
	}
	if m.QoS > 0 {
		d.acks = packet.AppendPuback(d.acks, d.version, packet.Puback{ID: m.ID})
	}
	kind, isAnswer := bytes.CutPrefix(m.Topic, d.topic)
	accepted := isAnswer && string(kind) == "/accepted"
	rejected := isAnswer && string(kind) == "/rejected"
	if d.answered || !accepted && !rejected || !d.ours(m.Payload) {
		return nil
	}
	if d.answered = true; accepted {
		w.resp.SetBody(m.Payload)
		return nil
	}
	var why struct{ Code, Message string }
	if err := json.Unmarshal(m.Payload, &why); err != nil {
		why.Code = "not JSON"
	}
	d.refusal = fmt.Errorf("the request is rejected: %s: %s", why.Code, why.Message)
	return nil
}

// ours reports whether an answer has the request's client token.
func (d *device) ours(payload []byte) bool {
	if bytes.Contains(payload, d.payload[d.member[0]:d.member[1]]) { // Fast path: the token is written as it was sent.
		return true
	}
	var a struct{ ClientToken string }
	return json.Unmarshal(payload, &a) == nil && a.ClientToken == strconv.FormatUint(d.token, 10)
}

// acknowledge sends the acknowledgments of the received messages.
func (w *worker) acknowledge() error {
	d := w.device
	if len(d.acks) == 0 {
		return nil
	}
	err := w.conn.write(d.acks)
	d.acks = d.acks[:0]
	return err
}

// judgeMessage decides whether the answer to the request is good.
func (w *worker) judgeMessage() (answer.Kind, error) {
	if err := w.device.refusal; err != nil {
		return answer.Rejected, err
	}
	w.judged++
	return answer.CheckMessage(w.resp.Body(), w.judged%256 == 1)
}

// read returns the next packet, which is valid until the next call.
func (w *worker) read() (packet.Packet, error) {
	d := w.device
	for {
		p, n, err := packet.Split(d.in[d.from:d.to], d.limit)
		if n > 0 || err != nil {
			d.from += n
			return p, err
		}
		d.to = copy(d.in, d.in[d.from:d.to])
		d.from = 0
		if d.to == len(d.in) {
			d.in = append(d.in, make([]byte, len(d.in))...)
		}
		n, err = w.conn.Read(d.in[d.to:])
		if d.to += n; n == 0 && err != nil {
			return p, err
		}
		if n == 0 {
			return p, errors.New("nothing was read")
		}
	}
}
