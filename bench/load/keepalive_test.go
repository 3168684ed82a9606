package load

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/bench/load/plan"
	"jobgate/gateway/jobs/mqtt/packet"
)

// A gateway closes a connection that was silent for 1.5 times its keep alive. An idle device sends pings and stays connected.
func TestMQTTKeepAlive(t *testing.T) {
	t.Parallel()
	const wait = 4 * time.Second
	f := func(what string, v311 bool, edit func(*plan.Plan)) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := mqttPlan(t, "mqtt://"+serveMQTT(t, "").address, 2, plan.Step{Path: "/$next/get"}, plan.Step{Path: "/get", Think: wait})
			p.Connections, p.Things, p.V311, p.MQTTKeepAlive = 1, mustNames(t, "thing-", "1", plan.Uniform), v311, time.Second
			p.Timeout = 20 * time.Second
			edit(p)
			res := mustRun(t, p)
			if c := res.Counts; c.Failed != 0 || c.Good != 2 || c.Reconnects != 0 {
				t.Errorf("%+v, %v", c, res.Errors)
			}
		})
	}
	closed := func(p *plan.Plan) { p.Count = 1 }
	open := func(p *plan.Plan) { // two requests, four seconds apart
		p.Count, p.Flows[0].Steps = 0, p.Flows[0].Steps[:1]
		p.Stages, p.Duration = []plan.Stage{{From: 0.25, To: 0.25}}, 2*wait
	}
	f("closed loop", false, closed)
	f("open loop, 3.1.1", true, open)
}

// The target's keep alive replaces the device's, and a connection without PINGRESP is closed.
func TestMQTTServerKeepAlive(t *testing.T) {
	t.Parallel()
	var pings, connects atomic.Int64
	url := serveRaw(t, func(c net.Conn) {
		mute := connects.Add(1) == 1
		answerPackets(c, func(p packet.Packet) []byte {
			switch p.Type {
			case packet.CONNECT:
				ack := new(packet.Connack)
				ack.Properties.SetNumber(packet.ServerKeepAlive, 1)
				return packet.AppendConnack(nil, packet.V5, ack)
			case packet.SUBSCRIBE:
				return packet.AppendSuback(nil, packet.V5, 1, []packet.Reason{1, 1})
			case packet.PINGREQ:
				if pings.Add(1); mute {
					return nil
				}
				return packet.AppendPingresp(nil)
			}
			var m packet.Publish
			if packet.ParsePublish(p, packet.V5, &m) != nil {
				return nil
			}
			out := packet.AppendPuback(nil, packet.V5, packet.Puback{ID: m.ID})
			return packet.AppendPublish(out, packet.V5, &packet.Publish{Topic: append(m.Topic, "/accepted"...), Payload: m.Payload})
		})
	})
	p := mqttPlan(t, strings.Replace(url, "http", "mqtt", 1), 2, plan.Step{Path: "/$next/get"}, plan.Step{Path: "/get", Think: 5 * time.Second})
	p.Connections, p.Things, p.Count, p.Timeout = 1, mustNames(t, "thing-", "1", plan.Uniform), 2, 3*time.Second
	p.MQTTKeepAlive = time.Minute
	res := mustRun(t, p)
	// The first connection is closed after its first PINGREQ; the second one stays open through the second flow's think time.
	if c := res.Counts; c.Good != 4 || c.Failed != 0 || c.Reconnects != 1 || pings.Load() < 3 {
		t.Errorf("%+v, %d pings, %v", c, pings.Load(), res.Errors)
	}
}

// answerPackets answers each packet on a connection until it is closed.
func answerPackets(c net.Conn, answer func(packet.Packet) []byte) {
	buf, used := make([]byte, 4096), 0
	for {
		n, err := c.Read(buf[used:])
		if err != nil {
			return
		}
		used += n
		for {
			p, size, err := packet.Split(buf[:used], 0)
			if err != nil {
				return
			}
			if size == 0 {
				break
			}
			if _, err := c.Write(answer(p)); err != nil {
				return
			}
			used = copy(buf, buf[size:used])
		}
	}
}
