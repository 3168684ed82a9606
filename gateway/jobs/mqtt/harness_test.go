package mqtt_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/jobs/mqtt/packet"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

// Parallel tests wait more than they compute.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var bg = context.Background()

// patience is how long a test waits for an expected event.
const patience = 20 * time.Second

// fixture is a jobs service with its store in a file, and an MQTT server of it on a loopback port.
type fixture struct {
	testing.TB
	*operations.Service
	server  *mqtt.Server
	address string
}

// plain renders documents without signing.
type plain struct{}

func (plain) AppendDocument(dst []byte, d *jobs.Document, _ *jobs.Execution, _ time.Time) ([]byte, error) {
	return d.Template.AppendTo(dst, &jobdoc.Context{})
}

// testLabel is the label of the goroutines of a test's server: the test's name.
const testLabel = "test"

func newService(t testing.TB) *operations.Service {
	t.Helper()
	pprof.SetGoroutineLabels(pprof.WithLabels(bg, pprof.Labels(testLabel, t.Name())))
	engine, err := sqlite.Open(bg, sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	store := rules.Over(engine)
	s, err := operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(bg)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Driver().Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
		_ = store.Close()
	})
	return s
}

func newFixture(t testing.TB, edit func(*mqtt.Config)) *fixture {
	t.Helper()
	return newFixtureWith(t, edit, patience)
}

func newFixtureWith(t testing.TB, edit func(*mqtt.Config), writeTimeout time.Duration) *fixture {
	t.Helper()
	f := &fixture{TB: t, Service: newService(t)}
	c := mqtt.Config{Service: f.Service, Documents: plain{}, SessionExpiry: time.Hour}
	if edit != nil {
		edit(&c)
	}
	var err error
	if f.server, err = mqtt.New(c); err != nil {
		t.Fatal(err)
	}
	ln, err := edge.Listen(edge.Options{
		Name: "mqtt", Address: "127.0.0.1:0", ReadTimeout: patience, IdleTimeout: patience, WriteTimeout: writeTimeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	f.address = ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(ln) }()
	t.Cleanup(func() {
		f.server.Close()
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
	return f
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// things registers things.
func (f *fixture) things(names ...string) {
	f.Helper()
	for _, name := range names {
		_, err := f.CreateThing(bg, time.Now(), jobs.CreateThingRequest{Name: name})
		f.ok(err)
	}
}

// create creates a job for things.
func (f *fixture) create(id string, things ...string) {
	f.Helper()
	f.createWith(id, nil, things...)
}

func (f *fixture) createWith(id string, edit func(*jobs.CreateJobRequest), things ...string) {
	f.Helper()
	r := jobs.CreateJobRequest{ID: id, Document: `{"do":"` + id + `"}`}
	for _, name := range things {
		r.Targets = append(r.Targets, f.Names().ThingARN(name))
	}
	if edit != nil {
		edit(&r)
	}
	_, err := f.CreateJob(bg, time.Now(), r)
	f.ok(err)
}

// client speaks MQTT as a device does, packet by packet.
type client struct {
	testing.TB
	net.Conn
	v      packet.Version
	id     string
	buffer []byte
	nextID uint16
	ack    packet.Connack
}

// dial connects and sends nothing.
func (f *fixture) dial(v packet.Version, id string) *client {
	f.Helper()
	conn, err := net.Dial("tcp", f.address)
	f.ok(err)
	return f.over(conn, v, id)
}

func (f *fixture) over(conn net.Conn, v packet.Version, id string) *client {
	f.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(3 * patience))
	return &client{TB: f.TB, Conn: conn, v: v, id: id}
}

// connect dials, sends CONNECT for a clean session, and receives CONNACK.
func (f *fixture) connect(v packet.Version, id string, edit func(*packet.Connect)) *client {
	f.Helper()
	c := f.dial(v, id)
	c.connect(edit)
	if c.ack.Reason != packet.Success {
		f.Fatalf("CONNECT of %s: reason %#x", id, c.ack.Reason)
	}
	return c
}

func (c *client) connect(edit func(*packet.Connect)) {
	c.Helper()
	m := packet.Connect{Version: c.v, Clean: true, KeepAlive: 60, ClientID: []byte(c.id)}
	if edit != nil {
		edit(&m)
	}
	c.send(packet.AppendConnect(nil, &m))
	p := c.recv()
	if p.Type != packet.CONNACK {
		c.Fatalf("%d answers CONNECT", p.Type)
	}
	if err := packet.ParseConnack(p.Body, c.v, &c.ack); err != nil {
		c.Fatal(err)
	}
}

func (c *client) send(b []byte) {
	c.Helper()
	if _, err := c.Write(b); err != nil {
		c.Fatal(err)
	}
}

// next returns the next packet, or an error.
func (c *client) next() (packet.Packet, error) {
	for {
		p, n, err := packet.Split(c.buffer, 0)
		if err != nil {
			return p, err
		}
		if n > 0 {
			p.Body = append([]byte(nil), p.Body...)
			c.buffer = c.buffer[n:]
			return p, nil
		}
		b := make([]byte, 4096)
		got, err := c.Read(b)
		c.buffer = append(c.buffer, b[:got]...)
		if got == 0 && err != nil {
			return p, err
		}
	}
}

func (c *client) recv() packet.Packet {
	c.Helper()
	p, err := c.next()
	if err != nil {
		c.Fatalf("%s: no packet: %v", c.id, err)
	}
	return p
}

// ends waits for the end of the connection. MQTT 5 sends a DISCONNECT with the reason first, 3.1.1 none; 0: no DISCONNECT.
func (c *client) ends(reason packet.Reason) {
	c.Helper()
	p, err := c.next()
	if reason != 0 && c.v == packet.V5 {
		var d packet.Disconnect
		if err != nil || p.Type != packet.DISCONNECT || packet.ParseDisconnect(p.Body, c.v, &d) != nil || d.Reason != reason {
			c.Fatalf("%s: got %d %x, %v; want DISCONNECT with %#x", c.id, p.Type, p.Body, err, reason)
		}
		_, err = c.next()
	}
	if !closed(err) {
		c.Fatalf("%s: got %d %x, %v; want the connection's end", c.id, p.Type, p.Body, err)
	}
}

func closed(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &op) && !op.Timeout()
}

// subscribe subscribes to topics of the thing's jobs with QoS 1, and returns the reasons.
func (c *client) subscribe(qos uint8, rest ...string) []byte {
	c.Helper()
	list := make([]packet.Subscription, len(rest))
	for i, r := range rest {
		list[i] = packet.Subscription{Filter: []byte(c.topic(r)), QoS: qos}
	}
	return c.subscribeTo(list...)
}

func (c *client) subscribeTo(list ...packet.Subscription) []byte {
	c.Helper()
	c.nextID++
	c.send(packet.AppendSubscribe(nil, c.v, c.nextID, &packet.Properties{}, list))
	p := c.recv()
	id, reasons, err := packet.ParseSuback(p, c.v)
	if p.Type != packet.SUBACK || err != nil || id != c.nextID || len(reasons) != len(list) {
		c.Fatalf("%d %x answers SUBSCRIBE %d: %v", p.Type, p.Body, c.nextID, err)
	}
	return reasons
}

// topic returns rest unchanged if it begins with $ or is not one of the thing's topics.
func (c *client) topic(rest string) string {
	if strings.Contains(rest, "things/") || strings.HasPrefix(rest, "$share") {
		return rest
	}
	return "$aws/things/" + c.id + "/jobs/" + rest
}

// publish sends a request.
func (c *client) publish(qos uint8, rest, payload string) uint16 {
	c.Helper()
	m := packet.Publish{QoS: qos, Topic: []byte(c.topic(rest)), Payload: []byte(payload)}
	if qos > 0 {
		c.nextID++
		m.ID = c.nextID
	}
	c.send(packet.AppendPublish(nil, c.v, &m))
	return m.ID
}

// puback receives the PUBACK of a message.
func (c *client) puback(id uint16) packet.Reason {
	c.Helper()
	p := c.recv()
	a, err := packet.ParsePuback(p.Body, c.v)
	if p.Type != packet.PUBACK || err != nil || a.ID != id {
		c.Fatalf("%d %x answers PUBLISH %d: %v", p.Type, p.Body, id, err)
	}
	return a.Reason
}

// message receives the next message, acknowledges it, and returns its content. It checks the topic.
func (c *client) message(rest string) map[string]any {
	c.Helper()
	m := c.unacknowledged(rest)
	if m.QoS == 1 {
		c.send(packet.AppendPuback(nil, c.v, packet.Puback{ID: m.ID}))
	}
	return c.object(m.Payload)
}

func (c *client) unacknowledged(rest string) (m packet.Publish) {
	c.Helper()
	p := c.recv()
	if p.Type != packet.PUBLISH || packet.ParsePublish(p, c.v, &m) != nil || string(m.Topic) != c.topic(rest) {
		c.Fatalf("%s: got %d %q, want a message to %s", c.id, p.Type, p.Body, c.topic(rest))
	}
	return m
}

func (c *client) object(payload []byte) map[string]any {
	c.Helper()
	var v map[string]any
	if err := json.Unmarshal(payload, &v); err != nil {
		c.Fatalf("%s: %v", payload, err)
	}
	return v
}

// ask sends a request with QoS 1 and receives its acknowledgement and its answer.
func (c *client) ask(rest, payload, answer string) map[string]any {
	c.Helper()
	c.puback(c.publish(1, rest, payload))
	return c.message(rest + "/" + answer)
}

// quiet checks that nothing arrives before the answer to a PINGREQ.
func (c *client) quiet() {
	c.Helper()
	c.send(packet.AppendPingreq(nil))
	if p := c.recv(); p.Type != packet.PINGRESP {
		c.Fatalf("%s: got %d %q, want nothing", c.id, p.Type, p.Body)
	}
}

// both runs a test in each version.
func both(t *testing.T, test func(t *testing.T, v packet.Version)) {
	t.Run("3.1.1", func(t *testing.T) { test(t, packet.V311) })
	t.Run("5", func(t *testing.T) { test(t, packet.V5) })
}
