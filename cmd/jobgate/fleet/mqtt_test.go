package fleet_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/mqtttest"
)

// mqttFront is the configuration of a front for MQTT devices.
const mqttFront = "mqtt: {listen: 127.0.0.1:0, auth: {mode: none}}\n"

// devices returns how many devices a test connects.
func devices() int {
	if n, err := strconv.Atoi(os.Getenv("JOBGATE_FLEET_DEVICES")); err == nil {
		return n
	}
	return 200
}

// thing registers a thing.
func (f *fleet) thing(name string) {
	f.Helper()
	if _, err := f.service.CreateThing(f.Context(), time.Now(), jobs.CreateThingRequest{Name: name}); err != nil {
		f.Fatal(err)
	}
}

// runDevice runs a device's whole life, with jobs that are created at a gateway.
func (f *fleet) runDevice(d *mqtttest.Device, at *gateway) {
	f.Helper()
	d.Life(func(id string) {
		if err := f.createAt(at, id, `{"do":"it"}`, d.Name); err != nil {
			f.Error(err)
		}
	})
}

// TestMQTTAcrossGateways connects devices to one of two gateways and creates their jobs at the other. The devices must be
// notified by the feed of changes.
func TestMQTTAcrossGateways(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 0, url, url)
	keys := f.operators()
	a, b := f.add(mqttFront, keys), f.add(mqttFront, keys)
	var lives sync.WaitGroup
	for i, at := range []*gateway{a, b, a} {
		name := fmt.Sprintf("across-%d", i)
		f.thing(name)
		d := mqtttest.NewDevice(t, name, at.at("mqtt"))
		other := b
		if at == b {
			other = a
		}
		lives.Go(func() { f.runDevice(d, other) })
	}
	lives.Wait()
	for i := range 3 {
		f.awaitCompleted(fmt.Sprintf("across-%d-1", i), 11*time.Second)
	}
}

// TestMQTTNetworkCut cuts a device off from its gateway, first with a reset, then silently. When it is back, it must be
// notified of the changes once.
func TestMQTTNetworkCut(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 0, url, url)
	keys := f.operators()
	a, b := f.add(mqttFront, keys), f.add(mqttFront, keys)
	p := newProxy(t, a.at("mqtt"))
	f.thing("cut")
	d := mqtttest.NewDevice(t, "cut", p.ln.Addr().String())
	for i := range faults() {
		reset, silent, during := fmt.Sprintf("reset-%d", i), fmt.Sprintf("silent-%d", i), fmt.Sprintf("during-%d", i)
		p.refuse.Store(true)
		p.reset()
		f.create(b, reset, "cut")
		time.Sleep(300 * time.Millisecond)
		p.refuse.Store(false)
		d.AwaitNext(reset)
		d.Ask(reset+"/update", `{"status":"SUCCEEDED"}`, "accepted")
		d.AwaitNext("")

		p.delay.Store(int64(time.Minute)) // longer than the keep-alive, so the device closes the connection
		f.create(b, silent, "cut")
		time.Sleep(time.Second)
		p.delay.Store(0)
		d.AwaitNext(silent)
		d.Ask(silent+"/update", `{"status":"SUCCEEDED"}`, "accepted")
		d.AwaitNext("")

		f.create(b, during, "cut")
		d.AwaitNext(during)
		p.refuse.Store(true)
		p.reset()
		if _, err := f.service.CancelJob(t.Context(), time.Now(), jobs.CancelJobRequest{ID: during, Force: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		p.refuse.Store(false)
		d.AwaitNext("")
	}
}

// create is createAt, but fails the test on an error.
func (f *fleet) create(at *gateway, id string, things ...string) {
	f.Helper()
	if err := f.createAt(at, id, `{"do":"it"}`, things...); err != nil {
		f.Fatal(err)
	}
}

// TestMQTTGatewayKilled kills a gateway while its devices work on a job. All reconnect at once, to another gateway and to the
// restarted one, and get the next job. No device may miss a job, and no report may be lost or made twice.
func TestMQTTGatewayKilled(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 0, url, url)
	a, b := f.add(mqttFront, nil), f.add(mqttFront, nil)
	n := devices()
	within := time.Minute + time.Duration(n)*20*time.Millisecond
	var turn struct {
		sync.Mutex
		among []*gateway
		next  int
	}
	turn.among = []*gateway{a}
	s := f.swarm("killed", n, 3, func() string {
		turn.Lock()
		defer turn.Unlock()
		turn.next++
		return turn.among[turn.next%len(turn.among)].at("mqtt")
	})
	to := func(gateways ...*gateway) {
		turn.Lock()
		defer turn.Unlock()
		turn.among = gateways
	}
	s.await("devices are connected", &s.connected, int64(n), within)
	s.create("first", "killed")
	s.await("jobs have started", &s.begun, int64(n/4), within)
	to(b)
	a.end(syscall.SIGKILL)
	s.create("second", "killed") // while the devices reconnect
	s.await("jobs have ended", &s.ended, int64(n+n/4), within)
	a.start()
	to(a, b)
	b.end(syscall.SIGKILL)
	to(a)
	s.create("third", "killed")
	b.start()
	s.await("all jobs have ended", &s.ended, int64(3*n), within)
	if s.lost.Load() < int64(n) {
		t.Errorf("only %d connections were lost, want at least one per device", s.lost.Load())
	}
	s.verify("first", "second", "third")
}

// brokerClient is the configuration of a gateway that is a broker's client.
func brokerClient(broker string) string {
	return `mqtt: {broker: {url: "mqtt://` + broker + `", prefix: "dev/$aws", share: jobgate}}` + "\n"
}

// subscribed waits until a gateway has subscribed at its broker, according to its log after the offset from.
func (g *gateway) subscribed(from int) {
	g.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(g.log()[from:], "connected to the broker") {
			return
		}
		if time.Now().After(end) {
			g.t.Fatalf("the gateway is not connected to the broker:\n%s", g.log()[from:])
		}
	}
}

// served returns how many MQTT requests a gateway has answered successfully.
func (g *gateway) served() (n float64) {
	admin := g.at("admin")
	_, body, _ := get("http://" + admin + "/metrics")
	const metric = `jobgate_request_duration_seconds_count{outcome="ok",route="mqtt"} `
	if _, rest, ok := strings.Cut(body, metric); ok {
		line, _, _ := strings.Cut(rest, "\n")
		n, _ = strconv.ParseFloat(line, 64)
	}
	return n
}

// brokerSite is two gateways that share the devices of one mosquitto. One of them uses a proxy.
type brokerSite struct {
	*fleet
	broker  *mqtttest.Mosquitto
	proxy   *proxy
	a, b    *gateway // a is behind the proxy
	names   []string
	devices []*mqtttest.Device
}

func newBrokerSite(t *testing.T) *brokerSite {
	t.Helper()
	_, url := startServer(t)
	s := &brokerSite{broker: mqtttest.StartMosquitto(t, mqtttest.Mounted)}
	s.proxy = newProxy(t, s.broker.Gateways)
	s.fleet = newFleet(t, 0, url, url)
	keys := s.operators()
	s.a, s.b = s.add(brokerClient(s.proxy.ln.Addr().String()), keys), s.add(brokerClient(s.broker.Gateways), keys)
	s.a.subscribed(0)
	s.b.subscribed(0)
	for i := range 4 {
		name := fmt.Sprintf("shared-%d", i)
		s.thing(name)
		s.names, s.devices = append(s.names, name), append(s.devices, mqtttest.NewDevice(t, name, s.broker.Devices))
	}
	return s
}

// each checks that every device is notified of a job, completes it, and is notified that there is no other.
func (s *brokerSite) each(id string) {
	s.Helper()
	for _, d := range s.devices {
		d.AwaitNext(id)
		d.Ask(id+"/update", `{"status":"SUCCEEDED"}`, "accepted")
		d.AwaitNext("")
	}
	s.awaitCompleted(id, 11*time.Second)
}

// TestMQTTBroker has two gateways share the devices of one mosquitto. Then the broker is restarted, and its
// network cut.
func TestMQTTBroker(t *testing.T) {
	s := newBrokerSite(t)
	var lives sync.WaitGroup
	for i, d := range s.devices {
		lives.Go(func() { s.runDevice(d, []*gateway{s.a, s.b}[i%2]) })
	}
	lives.Wait()
	if s.a.served() == 0 || s.b.served() == 0 {
		t.Errorf("the gateways have answered %v and %v requests, want some each", s.a.served(), s.b.served())
	}

	fromA, fromB := len(s.a.log()), len(s.b.log())
	s.broker.Stop()
	s.create(s.b, "broker-down", s.names...)
	s.broker.Start()
	s.a.subscribed(fromA)
	s.b.subscribed(fromB)
	s.each("broker-down")

	fromA = len(s.a.log())
	s.proxy.refuse.Store(true)
	s.proxy.reset()
	s.create(s.a, "network-cut", s.names...)
	time.Sleep(300 * time.Millisecond)
	s.proxy.refuse.Store(false)
	s.a.subscribed(fromA)
	s.each("network-cut")
	s.checkStore()
}

// TestMQTTBrokerGatewaysKilled has two gateways share the devices of one mosquitto. It kills the one that publishes the
// notices, and then the other.
func TestMQTTBrokerGatewaysKilled(t *testing.T) {
	s := newBrokerSite(t)
	leader, other := s.holder(30*time.Second, s.a, s.b), s.a
	if leader == s.a {
		other = s.b
	}
	leader.end(syscall.SIGKILL)
	s.create(other, "publisher-killed", s.names...)
	s.each("publisher-killed")
	s.withdrawn(other)
	s.checkStore()
}

// checkStore checks that the store is consistent.
func (f *fleet) checkStore() {
	f.Helper()
	if r, err := f.engine.Check(f.Context()); err != nil || len(r.Faults) > 0 {
		f.Errorf("the store is inconsistent: %+v %v", r.Faults, err)
	}
}

// withdrawn kills the last gateway while a job is pending for every device, and ends the job before it restarts. The devices
// must then be notified that there is no job.
func (s *brokerSite) withdrawn(last *gateway) {
	s.Helper()
	s.create(last, "withdrawn", s.names...)
	for _, d := range s.devices {
		d.AwaitNext("withdrawn")
	}
	last.end(syscall.SIGKILL)
	for _, name := range s.names {
		if _, err := s.service.Update(s.Context(), time.Now(), jobs.UpdateExecutionRequest{Thing: name, JobID: "withdrawn", Status: jobs.Succeeded}); err != nil {
			s.Fatal(err)
		}
	}
	last.start()
	for _, d := range s.devices {
		d.AwaitNext("")
	}
}
