package broker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/broker"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

var bg = context.Background()

const patience = 30 * time.Second

// mosquitto runs Debian's with a configuration, in which DEVICES and GATEWAYS are ports of two listeners.
type mosquitto struct {
	testing.TB
	devices, gateways string // addresses
	config            string
	cmd               *exec.Cmd
}

func newMosquitto(t testing.TB, configuration string) *mosquitto {
	t.Helper()
	m := &mosquitto{TB: t, devices: freeAddress(t), gateways: freeAddress(t)}
	m.config = filepath.Join(t.TempDir(), "mosquitto.conf")
	_, devices, _ := net.SplitHostPort(m.devices)
	_, gateways, _ := net.SplitHostPort(m.gateways)
	text := strings.NewReplacer("DEVICES", devices+" 127.0.0.1", "GATEWAYS", gateways+" 127.0.0.1", "FOLDER", filepath.Dir(m.config)).Replace(configuration)
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.stop)
	return m
}

func (m *mosquitto) start() {
	m.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("JOBGATE_TEST_REQUIRE_SERVERS") != "" {
			m.Fatal("there is no mosquitto on this machine: apt-get install mosquitto")
		}
		m.Skip("there is no mosquitto on this machine: apt-get install mosquitto")
	}
	m.cmd = exec.Command(path, "-c", m.config)
	if err := m.cmd.Start(); err != nil {
		m.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", m.gateways)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(end) {
			m.Fatal("mosquitto does not listen")
		}
	}
}

func (m *mosquitto) stop() {
	_ = m.cmd.Process.Kill() // it may have ended
	_ = m.cmd.Wait()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// plain renders documents that sign nothing.
type plain struct{}

func (plain) AppendDocument(dst []byte, d *jobs.Document, _ *jobs.Execution, _ time.Time) ([]byte, error) {
	return d.Template.AppendTo(dst, &jobdoc.Context{})
}

func newService(t testing.TB) *operations.Service {
	t.Helper()
	engine, err := sqlite.Open(bg, sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	store := rules.Over(engine)
	t.Cleanup(func() { _ = store.Close() })
	s, err := operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines is a log that a test can read.
type lines struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

// await waits for a line that holds text.
func (l *lines) await(t testing.TB, text string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		l.mu.Lock()
		all := l.out.String()
		l.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q:\n%s", text, all)
		}
	}
}

// join makes a gateway a client of a broker, and waits until it has subscribed.
func join(t testing.TB, s *operations.Service, c broker.Config) *lines {
	t.Helper()
	l := &lines{}
	c.Service, c.Documents, c.Log = s, plain{}, slog.New(slog.NewTextHandler(l, nil))
	b, err := broker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	l.await(t, "connected to the broker")
	return l
}

// device is a thing that speaks MQTT 5 with a broker, by paho.
type device struct {
	testing.TB
	name     string
	manager  *autopaho.ConnectionManager
	messages chan *paho.Publish
	kept     []*paho.Publish // came while another was waited for; in order
}

func newDevice(t testing.TB, address, name string) *device {
	t.Helper()
	d := &device{TB: t, name: name, messages: make(chan *paho.Publish, 1000)}
	ctx, cancel := context.WithCancel(bg)
	t.Cleanup(cancel)
	subscribed := make(chan error, 10)
	var err error
	d.manager, err = autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls: []*url.URL{{Scheme: "mqtt", Host: address}}, KeepAlive: 30, SessionExpiryInterval: 300,
		ReconnectBackoff: func(int) time.Duration { return 100 * time.Millisecond }, ConnectUsername: name, ConnectPassword: []byte("x"),
		OnConnectionUp: func(m *autopaho.ConnectionManager, _ *paho.Connack) {
			go func() {
				_, err := m.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: d.topic("#"), QoS: 1}}})
				subscribed <- err
			}()
		},
		ClientConfig: paho.ClientConfig{ClientID: name, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(p paho.PublishReceived) (bool, error) {
				d.messages <- p.Packet
				return true, nil
			},
		}},
	})
	if err != nil {
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

func (d *device) topic(rest string) string { return "$aws/things/" + d.name + "/jobs/" + rest }

func (d *device) publish(rest, payload string) {
	d.Helper()
	ctx, cancel := context.WithTimeout(bg, patience)
	defer cancel()
	if _, err := d.manager.Publish(ctx, &paho.Publish{Topic: d.topic(rest), QoS: 1, Payload: []byte(payload)}); err != nil {
		d.Fatal(err)
	}
}

// message waits for the next message to a topic. Those to others are kept: a notice and an answer come in any order.
func (d *device) message(rest string) map[string]any {
	d.Helper()
	timeout := time.After(patience)
	for i := 0; ; i++ {
		if i == len(d.kept) {
			select {
			case m := <-d.messages:
				d.kept = append(d.kept, m)
			case <-timeout:
				d.Fatalf("%s: nothing came to %s", d.name, rest)
			}
		}
		m := d.kept[i]
		if strings.TrimPrefix(m.Topic, "dev/") != d.topic(rest) { // mosquitto 2.0.11 leaves a mount point where it was
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

func jobOf(m map[string]any) string {
	e, _ := m["execution"].(map[string]any)
	id, _ := e["jobId"].(string)
	return id
}

func create(t testing.TB, s *operations.Service, id string, things ...string) {
	t.Helper()
	r := jobs.CreateJobRequest{ID: id, Document: `{"do":"` + id + `"}`}
	for _, name := range things {
		r.Targets = append(r.Targets, s.Names().ThingARN(name))
	}
	if _, err := s.CreateJob(bg, time.Now(), r); err != nil {
		t.Fatal(err)
	}
}

func register(t testing.TB, s *operations.Service, things ...string) {
	t.Helper()
	for _, name := range things {
		if _, err := s.CreateThing(bg, time.Now(), jobs.CreateThingRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
}

// life is told of a job, does it, and is told of the next.
func (d *device) life(s *operations.Service) {
	d.Helper()
	one, two := d.name+"-1", d.name+"-2"
	create(d, s, one, d.name)
	if got := d.message("notify-next"); jobOf(got) != one {
		d.Fatal(got)
	}
	create(d, s, two, d.name)
	d.publish("start-next", `{"clientToken":"c"}`)
	if got := d.message("start-next/accepted"); jobOf(got) != one || got["clientToken"] != "c" {
		d.Fatal(got)
	}
	d.publish(one+"/update", `{"status":"IN_PROGRESS","expectedVersion":"2"}`)
	d.message(one + "/update/accepted")
	d.publish(one+"/update", `{"status":"SUCCEEDED"}`)
	d.message(one + "/update/accepted")
	if got := d.message("notify-next"); jobOf(got) != two {
		d.Fatal(got)
	}
	d.publish(two+"/update", `{"status":"SUCCEEDED"}`)
	d.message(two + "/update/accepted")
	if got := d.message("notify-next"); jobOf(got) != "" {
		d.Fatal(got)
	}
	d.publish(one+"/update", `{"status":"SUCCEEDED"}`)
	if got := d.message(one + "/update/rejected"); got["code"] != "InvalidStateTransition" {
		d.Fatal(got)
	}
}

// mounted is a mosquitto whose devices have a mount point: they say $aws, gateways see dev/$aws, where shared
// subscriptions work.
const mounted = `
per_listener_settings true
listener DEVICES
mount_point dev/
allow_anonymous true
listener GATEWAYS
allow_anonymous true
`

// TestMountPoint: two gateways share the devices' requests.
func TestMountPoint(t *testing.T) {
	m := newMosquitto(t, mounted)
	s := newService(t)
	c := broker.Config{URL: "mqtt://" + m.gateways, Prefix: "dev/$aws", Share: "jobgate"}
	var served [2]atomic.Int64
	c.Request = func(dispatch.Code, time.Duration) { served[0].Add(1) }
	first := join(t, s, c)
	first.await(t, "shared_subscription=works")
	first.await(t, "can write to every thing's topics")
	c.Notifies = func() bool { return false } // the other one does
	c.Request = func(dispatch.Code, time.Duration) { served[1].Add(1) }
	join(t, s, c)
	var devices sync.WaitGroup
	for i := range 4 {
		name := fmt.Sprintf("d%d", i)
		register(t, s, name)
		d := newDevice(t, m.devices, name)
		devices.Go(func() { d.life(s) })
	}
	devices.Wait()
	if served[0].Load() == 0 || served[1].Load() == 0 {
		t.Errorf("the gateways have answered %d and %d requests", served[0].Load(), served[1].Load())
	}
}

// TestSwallowed: mosquitto grants shared subscriptions on $aws and delivers nothing; the gateway says so and goes on
// without.
func TestSwallowed(t *testing.T) {
	m := newMosquitto(t, "listener DEVICES\nallow_anonymous true\nlistener GATEWAYS\nallow_anonymous true\n")
	s := newService(t)
	join(t, s, broker.Config{URL: "mqtt://" + m.gateways, Share: "jobgate"}).await(t, "swallowed by the broker")
	register(t, s, "d")
	newDevice(t, m.devices, "d").life(s)
}

// TestBrokerRestarts: while the broker is away jobs are made; when it is back, the device is told.
func TestBrokerRestarts(t *testing.T) {
	m := newMosquitto(t, "listener DEVICES\nallow_anonymous true\nlistener GATEWAYS\nallow_anonymous true\n")
	s := newService(t)
	join(t, s, broker.Config{URL: "mqtt://" + m.gateways})
	register(t, s, "d")
	d := newDevice(t, m.devices, "d")
	create(t, s, "before", "d")
	if got := d.message("notify-next"); jobOf(got) != "before" {
		t.Fatal(got)
	}
	m.stop()
	if _, err := s.Update(bg, time.Now(), jobs.UpdateExecutionRequest{Thing: "d", JobID: "before", Status: jobs.Succeeded}); err != nil {
		t.Fatal(err)
	}
	create(t, s, "meanwhile", "d")
	m.start()
	for jobOf(d.message("notify-next")) != "meanwhile" { // a state between may have been told, too
	}
	d.publish("$next/get", ``)
	if got := d.message("$next/get/accepted"); jobOf(got) != "meanwhile" {
		t.Fatal(got)
	}
}

// TestGatewayRestarts: jobs that are made while no gateway publishes notices are told by the next one that does, at its
// start or when it takes over.
func TestGatewayRestarts(t *testing.T) {
	m := newMosquitto(t, "listener DEVICES\nallow_anonymous true\nlistener GATEWAYS\nallow_anonymous true\n")
	s := newService(t)
	register(t, s, "d")
	d := newDevice(t, m.devices, "d")
	create(t, s, "down", "d")
	var leads atomic.Bool
	leads.Store(true)
	join(t, s, broker.Config{URL: "mqtt://" + m.gateways, Notifies: leads.Load})
	if got := d.message("notify-next"); jobOf(got) != "down" {
		t.Fatal(got)
	}
	leads.Store(false)
	if _, err := s.Update(bg, time.Now(), jobs.UpdateExecutionRequest{Thing: "d", JobID: "down", Status: jobs.Succeeded}); err != nil {
		t.Fatal(err)
	}
	create(t, s, "led", "d")
	leads.Store(true)
	for jobOf(d.message("notify-next")) != "led" { // the state between may have been told, too
	}
}

// TestStrangers: the probe tells a broker that keeps strangers out from one that lets a user name alone do everything.
func TestStrangers(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "acl")
	rights := "user gateway\ntopic readwrite $aws/#\nuser open\ntopic readwrite $aws/#\npattern readwrite $aws/things/%u/jobs/#\n"
	if err := os.WriteFile(acl, []byte(rights), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMosquitto(t, "user root\nlistener DEVICES\nlistener GATEWAYS\nallow_anonymous true\nacl_file "+acl+"\n") // started by root, it stays root to read the file
	f := func(username, want string) {
		t.Helper()
		l := join(t, newService(t), broker.Config{URL: "mqtt://" + m.gateways, Username: "gateway", ProbeUsername: username})
		l.await(t, want)
	}
	f("", `strangers="kept out"`)
	f("device", `strangers="kept out"`)
	f("open", `strangers="can write to every thing's topics`)
}

func TestConfig(t *testing.T) {
	s := newService(t)
	f := func(c broker.Config, want string) {
		t.Helper()
		c.Service, c.Documents = s, plain{}
		if b, err := broker.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
			if b != nil {
				b.Close()
			}
		}
	}
	f(broker.Config{URL: "host:1883"}, "mqtts://host:8883")
	f(broker.Config{URL: "http://host"}, "mqtts://host:8883")
	f(broker.Config{URL: "mqtt://u:secret@host"}, "holds a password")
	f(broker.Config{URL: "mqtt://host", Prefix: "a/+"}, "wildcard")
	f(broker.Config{URL: "mqtt://host", Share: "a/b"}, "slash")
}
