package broker_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/mqtt/broker"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/mqtttest"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

// Parallel tests wait for brokers more than they compute.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

var bg = context.Background()

const patience = 30 * time.Second

// plain renders documents without signing.
type plain struct{}

func (plain) AppendDocument(dst []byte, d *jobs.Document, _ *jobs.Execution, _ time.Time) ([]byte, error) {
	return d.Template.AppendTo(dst, &jobdoc.Context{})
}

func newService(t testing.TB) *operations.Service {
	t.Helper()
	_, s := newStore(t)
	return s
}

// newStore returns a store of one process, and its service.
func newStore(t testing.TB) (*rules.Store, *operations.Service) {
	t.Helper()
	engine, err := sqlite.Open(bg, sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, rules.Over(engine))
}

// sharedService returns one gateway's handle of a shared store, with its feed followed.
func sharedService(t testing.TB, db *memory.Database) (*rules.Store, *operations.Service) {
	t.Helper()
	store, s := serve(t, rules.Over(db.Open()))
	ctx, stop := context.WithCancel(bg)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Driver().Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return store, s
}

func serve(t testing.TB, store *rules.Store) (*rules.Store, *operations.Service) {
	t.Helper()
	t.Cleanup(func() { _ = store.Close() })
	s, err := operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}})
	if err != nil {
		t.Fatal(err)
	}
	return store, s
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

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

// await waits for a line that contains text.
func (l *lines) await(t testing.TB, text string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		all := l.text()
		if strings.Contains(all, text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the log does not say %q:\n%s", text, all)
		}
	}
}

// join connects a gateway to a broker, and waits until it has subscribed.
func join(t testing.TB, s *operations.Service, c broker.Config) *lines {
	t.Helper()
	_, l := open(t, s, c)
	return l
}

// open is join for a gateway that ends before the test does.
func open(t testing.TB, s *operations.Service, c broker.Config) (*broker.Client, *lines) {
	t.Helper()
	l := &lines{}
	c.Service, c.Documents, c.Log = s, plain{}, slog.New(slog.NewTextHandler(l, nil))
	b, err := broker.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	l.await(t, "connected to the broker")
	return b, l
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

// TestMountPoint: two gateways share the devices' requests.
func TestMountPoint(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.Mounted)
	s := newService(t)
	c := broker.Config{URL: "mqtt://" + m.Gateways, Prefix: "dev/$aws", Share: "jobgate"}
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
		d := mqtttest.NewDevice(t, name, m.Devices)
		devices.Go(func() { d.Life(func(id string) { create(t, s, id, name) }) })
	}
	devices.Wait()
	if served[0].Load() == 0 || served[1].Load() == 0 {
		t.Errorf("the gateways have answered %d and %d requests", served[0].Load(), served[1].Load())
	}
}

// TestSwallowed: mosquitto grants shared subscriptions on $aws but delivers nothing; the gateway logs that and continues
// without them.
func TestSwallowed(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.Open)
	s := newService(t)
	join(t, s, broker.Config{URL: "mqtt://" + m.Gateways, Share: "jobgate"}).await(t, "swallowed by the broker")
	register(t, s, "d")
	mqtttest.NewDevice(t, "d", m.Devices).Life(func(id string) { create(t, s, id, "d") })
}

// TestBrokerRestarts: the device gets notices of jobs that were created while the broker was down.
func TestBrokerRestarts(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.Open)
	s := newService(t)
	join(t, s, broker.Config{URL: "mqtt://" + m.Gateways})
	register(t, s, "d")
	d := mqtttest.NewDevice(t, "d", m.Devices)
	create(t, s, "before", "d")
	if got := d.Message("notify-next"); mqtttest.JobOf(got) != "before" {
		t.Fatal(got)
	}
	m.Stop()
	if _, err := s.Update(bg, time.Now(), jobs.UpdateExecutionRequest{Thing: "d", JobID: "before", Status: jobs.Succeeded}); err != nil {
		t.Fatal(err)
	}
	create(t, s, "meanwhile", "d")
	m.Start()
	d.AwaitNext("meanwhile")
	if got := d.Ask("$next/get", ``, "accepted"); mqtttest.JobOf(got) != "meanwhile" {
		t.Fatal(got)
	}
}

// TestGatewayRestarts: jobs are created while no gateway publishes notices. The next one that does notifies their devices,
// at its start or when it takes over.
func TestGatewayRestarts(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.Open)
	s := newService(t)
	register(t, s, "d")
	d := mqtttest.NewDevice(t, "d", m.Devices)
	create(t, s, "down", "d")
	var leads atomic.Bool
	leads.Store(true)
	join(t, s, broker.Config{URL: "mqtt://" + m.Gateways, Notifies: leads.Load})
	if got := d.Message("notify-next"); mqtttest.JobOf(got) != "down" {
		t.Fatal(got)
	}
	leads.Store(false)
	if _, err := s.Update(bg, time.Now(), jobs.UpdateExecutionRequest{Thing: "d", JobID: "down", Status: jobs.Succeeded}); err != nil {
		t.Fatal(err)
	}
	create(t, s, "led", "d")
	leads.Store(true)
	d.AwaitNext("led")
}

// withPlace makes a gateway record which changes devices were notified of.
func withPlace(c broker.Config, store *rules.Store, s *operations.Service) broker.Config {
	c.Place, c.Followed = store.Place("test"), s.Driver().Followed
	return c
}

// succeed reports that a thing has done a job.
func succeed(t testing.TB, s *operations.Service, thing, id string) {
	t.Helper()
	if _, err := s.Update(bg, time.Now(), jobs.UpdateExecutionRequest{Thing: thing, JobID: id, Status: jobs.Succeeded}); err != nil {
		t.Fatal(err)
	}
}

// TestWithdrawnWhileDown: while no gateway publishes notices, a pending job is withdrawn. The next gateway notifies the
// device; with the feed of a shared store it notifies only the changed things.
func TestWithdrawnWhileDown(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.Open)
	db := memory.New(memory.Faults{})
	store, s := sharedService(t, db)
	c := withPlace(broker.Config{URL: "mqtt://" + m.Gateways}, store, s)
	register(t, s, "changed", "same")
	changed, same := mqtttest.NewDevice(t, "changed", m.Devices), mqtttest.NewDevice(t, "same", m.Devices)
	first, _ := open(t, s, c)
	create(t, s, "a", "changed")
	changed.AwaitNext("a")
	create(t, s, "b", "same")
	same.AwaitNext("b")
	succeed(t, s, "same", "b")
	same.AwaitNext("")
	first.Close() // saves the place

	succeed(t, s, "changed", "a")
	second, _ := open(t, s, c)
	changed.AwaitNext("")
	create(t, s, "c", "same")
	if got := same.Message("notify-next"); mqtttest.JobOf(got) != "c" {
		t.Errorf("a thing that was not changed was notified of %v", got)
	}
	second.Close()

	// The place is unknown: all things are notified.
	if err := store.PruneFeed(bg, -time.Hour); err != nil {
		t.Fatal(err)
	}
	succeed(t, s, "same", "c")
	if err := store.PruneFeed(bg, -time.Hour); err != nil {
		t.Fatal(err)
	}
	_, log := open(t, s, c)
	same.AwaitNext("")
	changed.AwaitNext("")
	log.await(t, "the last notices to devices are not known")
}

// TestKilled: a store of one process has the place of the last notices to devices after a clean shutdown, but not after a
// kill.
func TestKilled(t *testing.T) {
	t.Parallel()
	m := mqtttest.StartMosquitto(t, mqtttest.Open)
	store, s := newStore(t)
	c := withPlace(broker.Config{URL: "mqtt://" + m.Gateways}, store, s)
	register(t, s, "d")
	d := mqtttest.NewDevice(t, "d", m.Devices)
	first, _ := open(t, s, c)
	create(t, s, "one", "d")
	d.AwaitNext("one")
	if first.Close(); !kept(t, store) {
		t.Fatal("no place was kept")
	}
	if err := store.Place("test").Save(bg, "in order"); err != nil {
		t.Fatal(err)
	}
	second, log := open(t, s, c)
	d.AwaitNext("one") // it is pending
	log.await(t, "connected to the broker")
	if strings.Contains(log.text(), "last notices to devices are not known") {
		t.Error("the place was not found")
	}
	if kept(t, store) {
		t.Error("the place outlives the start: a kill would not be noticed")
	}
	second.Close()
	_ = kept(t, store) // gone, as after a kill
	succeed(t, s, "d", "one")
	_, log = open(t, s, c)
	d.AwaitNext("")
	log.await(t, "the last notices to devices are not known")
}

// kept reports whether a place is saved, and removes it.
func kept(t testing.TB, store *rules.Store) bool {
	t.Helper()
	place, err := store.Place("test").Load(bg)
	if err != nil {
		t.Fatal(err)
	}
	return place != ""
}

// TestStrangers: the probe distinguishes a broker that refuses strangers from one that allows everything with a user name.
func TestStrangers(t *testing.T) {
	t.Parallel()
	acl := filepath.Join(t.TempDir(), "acl")
	rights := "user gateway\ntopic readwrite $aws/#\nuser open\ntopic readwrite $aws/#\npattern readwrite $aws/things/%u/jobs/#\n"
	if err := os.WriteFile(acl, []byte(rights), 0o600); err != nil {
		t.Fatal(err)
	}
	m := mqtttest.StartMosquitto(t, "user root\nlistener DEVICES\nlistener GATEWAYS\nallow_anonymous true\nacl_file "+acl+"\n") // if started by root, it stays root to read the file
	f := func(username, want string) {
		t.Helper()
		l := join(t, newService(t), broker.Config{URL: "mqtt://" + m.Gateways, Username: "gateway", ProbeUsername: username})
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
