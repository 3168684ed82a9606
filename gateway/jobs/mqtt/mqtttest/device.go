// Package mqtttest has helpers for tests of MQTT: a device on MQTT 5 with paho.golang, and Debian's mosquitto.
package mqtttest

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

// patience is how long a test waits for an expected event.
const patience = time.Minute

// Device is a thing connected by MQTT 5. It reconnects to its session by itself. Its methods are for one goroutine; they
// fail the test.
type Device struct {
	testing.TB
	Name string

	manager  *autopaho.ConnectionManager
	messages chan *paho.Publish
	kept     []*paho.Publish // received while waiting for another; in order
}

// NewDevice connects a thing to one of the addresses, and subscribes to all topics of the thing. Its user name is the
// thing's name.
func NewDevice(t testing.TB, name string, addresses ...string) *Device {
	t.Helper()
	d := &Device{TB: t, Name: name, messages: make(chan *paho.Publish, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	subscribed := make(chan error, 1)
	c := autopaho.ClientConfig{
		KeepAlive: 5, SessionExpiryInterval: 300, ConnectTimeout: 5 * time.Second,
		ReconnectBackoff: func(int) time.Duration { return 100 * time.Millisecond }, ConnectUsername: name, ConnectPassword: []byte("x"),
		OnConnectionUp: func(m *autopaho.ConnectionManager, _ *paho.Connack) {
			go func() {
				_, err := m.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: d.Topic("#"), QoS: 1}}})
				select {
				case subscribed <- err:
				default: // only the first is waited for
				}
			}()
		},
		ClientConfig: paho.ClientConfig{ClientID: name, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(p paho.PublishReceived) (bool, error) {
				d.messages <- p.Packet
				return true, nil
			},
		}},
	}
	for _, address := range addresses {
		c.ServerUrls = append(c.ServerUrls, &url.URL{Scheme: "mqtt", Host: address})
	}
	var err error
	if d.manager, err = autopaho.NewConnection(ctx, c); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-subscribed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("the device cannot subscribe")
	}
	return d
}

// Topic returns the full topic of the thing's jobs with the end rest.
func (d *Device) Topic(rest string) string { return "$aws/things/" + d.Name + "/jobs/" + rest }

// Publish sends a request with QoS 1, and waits until it is acknowledged.
func (d *Device) Publish(rest, payload string) {
	d.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := d.manager.Publish(ctx, &paho.Publish{Topic: d.Topic(rest), QoS: 1, Payload: []byte(payload)}); err != nil {
		d.Fatal(err)
	}
}

// Message waits for the next message to a topic. Messages to others are kept, because a notice and an answer arrive in any
// order.
func (d *Device) Message(rest string) map[string]any {
	d.Helper()
	timeout := time.After(patience)
	for i := 0; ; i++ {
		if i == len(d.kept) {
			select {
			case m := <-d.messages:
				d.kept = append(d.kept, m)
			case <-timeout:
				d.Fatalf("%s: no message to %s; received %v", d.Name, rest, d.kept)
			}
		}
		m := d.kept[i]
		if strings.TrimPrefix(m.Topic, "dev/") != d.Topic(rest) { // mosquitto 2.0.11 does not strip the mount point
			continue
		}
		d.kept = slices.Delete(d.kept, i, i+1)
		var v map[string]any
		if err := json.Unmarshal(m.Payload, &v); err != nil {
			d.Fatalf("%s: %s", m.Topic, m.Payload)
		}
		return v
	}
}

// Ask sends a request and receives its answer, accepted or rejected.
func (d *Device) Ask(rest, payload, answer string) map[string]any {
	d.Helper()
	d.Publish(rest, payload)
	return d.Message(rest + "/" + answer)
}

// AwaitNext waits for a notify-next with a job, "" for one without. Earlier notices may arrive first, such as the same one
// again, or a state in between.
func (d *Device) AwaitNext(job string) {
	d.Helper()
	for JobOf(d.Message("notify-next")) != job {
	}
}

// JobOf is the job of a message's execution, "" if it has none.
func JobOf(m map[string]any) string {
	e, _ := m["execution"].(map[string]any)
	id, _ := e["jobId"].(string)
	return id
}

// Life does two jobs, each after its notice. create creates a job for the device.
func (d *Device) Life(create func(id string)) {
	d.Helper()
	one, two := d.Name+"-1", d.Name+"-2"
	create(one)
	d.next(one)
	create(two)
	if got := d.Ask("start-next", `{"clientToken":"c"}`, "accepted"); JobOf(got) != one || got["clientToken"] != "c" {
		d.Fatal(got)
	}
	d.Ask(one+"/update", `{"status":"IN_PROGRESS","expectedVersion":"2"}`, "accepted")
	d.Ask(one+"/update", `{"status":"SUCCEEDED"}`, "accepted")
	d.next(two)
	d.Ask(two+"/update", `{"status":"SUCCEEDED"}`, "accepted")
	d.next("")
	if got := d.Ask(one+"/update", `{"status":"SUCCEEDED"}`, "rejected"); got["code"] != "InvalidStateTransition" {
		d.Fatal(got)
	}
}

// next is AwaitNext without earlier notices.
func (d *Device) next(job string) {
	d.Helper()
	if got := d.Message("notify-next"); JobOf(got) != job {
		d.Fatalf("%s: got a notice of %v, want %q", d.Name, got, job)
	}
}
