package mqtt_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/packet"
)

// player is a device in the model, with its next job according to its messages.
type player struct {
	*client
	thing  string
	v      packet.Version
	away   bool
	listen bool // it has subscribed to notify-next, in this session
	next   string
}

// TestModel runs actions of operators and devices in random order. Whatever happens, a subscribed device soon agrees with
// the service, even if it was disconnected, was taken over, or has not acknowledged.
func TestModel(t *testing.T) {
	t.Parallel()
	runs := uint64(4)
	if os.Getenv("MQTT_MODEL") != "" {
		_, _ = fmt.Sscan(os.Getenv("MQTT_MODEL"), &runs) // stays 4 if unset
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, rand.New(rand.NewPCG(seed, 15))) })
	}
}

func play(t *testing.T, r *rand.Rand) {
	f := newFixture(t, nil)
	players := make([]*player, 3)
	for i := range players {
		p := &player{thing: fmt.Sprintf("t%d", i), v: packet.Version(4 + i%2), away: true}
		players[i] = p
		f.things(p.thing)
		p.connect(f)
	}
	for step := range 60 {
		p := players[r.IntN(len(players))]
		switch r.IntN(7) {
		case 0, 1:
			f.create(fmt.Sprintf("job-%d", step), p.thing)
		case 2: // an operator cancels the next job
			if id := f.nextOf(p.thing); id != "" {
				_, err := f.CancelJob(bg, time.Now(), jobs.CancelJobRequest{ID: id, Force: true})
				f.ok(err)
			}
		case 3: // the device does it
			if id := f.nextOf(p.thing); id != "" && !p.away {
				p.publish(0, id+"/update", `{"status":"SUCCEEDED"}`)
				p.until(func() bool { return f.nextOf(p.thing) != id })
			}
		case 4:
			if !p.away {
				_ = p.Close()
			}
			p.away = !p.away
			if !p.away {
				p.connect(f)
			}
		case 5: // another connection takes its place
			p.connect(f)
		case 6:
			if !p.away && p.listen {
				p.quietly()
			}
		}
		for _, p := range players {
			if !p.away {
				p.until(func() bool { return p.next == f.nextOf(p.thing) })
			}
		}
	}
}

// nextOf returns the thing's next job in the service.
func (f *fixture) nextOf(thing string) string {
	f.Helper()
	d, found, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: thing, JobID: jobs.Next})
	f.ok(err)
	if !found {
		return ""
	}
	return d.Execution.Job.ID
}

// connect connects to the session. If that is new, it requests the next job, as AWS's clients do.
func (p *player) connect(f *fixture) {
	f.Helper()
	p.client = f.connect(p.v, p.thing, func(m *packet.Connect) {
		m.Clean = false
		if p.v == packet.V5 {
			m.Properties.SetNumber(packet.SessionExpiry, 300)
		}
	})
	p.away = false
	if p.ack.SessionPresent != p.listen {
		f.Fatalf("%s: session present is %v", p.thing, p.ack.SessionPresent)
	}
	if !p.listen {
		p.subscribe(1, "notify-next")
		p.listen = true
		p.publish(0, "$next/get", `{}`)
		p.next = jobOf(p.message("$next/get/accepted"))
	}
}

// until receives messages until holds returns true.
func (p *player) until(holds func() bool) {
	p.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			p.Fatalf("the messages to %s say that its next job is %q", p.thing, p.next)
		}
		p.take(20 * time.Millisecond)
	}
}

// take receives a message, if one arrives within wait.
func (p *player) take(wait time.Duration) {
	p.Helper()
	_ = p.SetReadDeadline(time.Now().Add(wait))
	got, err := p.client.next()
	if err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			p.Fatalf("%s: %v", p.thing, err)
		}
		return
	}
	p.handle(got)
}

func (p *player) handle(got packet.Packet) {
	p.Helper()
	var m packet.Publish
	if got.Type != packet.PUBLISH || packet.ParsePublish(got, p.v, &m) != nil {
		p.Fatalf("%s: got %d %q", p.thing, got.Type, got.Body)
	}
	if string(m.Topic) == p.topic("notify-next") {
		p.next = jobOf(p.object(m.Payload))
	}
	if m.QoS == 1 {
		p.send(packet.AppendPuback(nil, p.v, packet.Puback{ID: m.ID}))
	}
}

// quietly receives all messages up to the answer to a PINGREQ.
func (p *player) quietly() {
	p.Helper()
	_ = p.SetReadDeadline(time.Now().Add(patience))
	p.send(packet.AppendPingreq(nil))
	for got := p.recv(); got.Type != packet.PINGRESP; got = p.recv() {
		p.handle(got)
	}
}
