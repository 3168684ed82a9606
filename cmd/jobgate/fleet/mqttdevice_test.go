package fleet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/packet"
	"jobgate/gateway/jobs/rules"
)

// reports is the number of reports that a device sends for a job before the last one.
const reports = 3

// swarm is a set of MQTT 3.1.1 devices. Each does the jobs that it is notified of, whatever happens to its connection, and
// needs only one goroutine.
type swarm struct {
	f       *fleet
	things  []string
	address func() string // of the gateway for the next connection
	jobs    int           // jobs that each device does

	connected atomic.Int64 // devices that have subscribed and requested the next job
	begun     atomic.Int64 // jobs that were started
	ended     atomic.Int64 // jobs whose last report was accepted
	lost      atomic.Int64 // connections that were lost
	refused   atomic.Int64 // CONNECTs that were not accepted
	wrong     atomic.Pointer[string]
	cancel    context.CancelFunc
	running   sync.WaitGroup
}

// swarm registers n things in a group of the same name, and connects them.
func (f *fleet) swarm(name string, n, each int, address func() string) *swarm {
	f.Helper()
	s := &swarm{f: f, jobs: each, address: address}
	var list []jobs.Thing
	for i := range n {
		thing := fmt.Sprintf("%s-%d", name, i)
		s.things = append(s.things, thing)
		list = append(list, jobs.Thing{Name: thing, ID: thing, Version: 1, CreatedAt: time.Now().UTC()})
	}
	if err := rules.Over(f.engine).CreateThings(f.Context(), list); err != nil {
		f.Fatal(err)
	}
	if _, err := f.service.CreateGroup(f.Context(), time.Now(), jobs.CreateGroupRequest{Name: name}); err != nil {
		f.Fatal(err)
	}
	var joining sync.WaitGroup
	for part := range 16 {
		joining.Go(func() {
			for i := part; i < n; i += 16 {
				if err := f.service.AddToGroup(f.Context(), time.Now(), jobs.MemberRequest{Thing: s.things[i], Group: name}); err != nil {
					f.Error(err)
				}
			}
		})
	}
	joining.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	f.Cleanup(s.stop)
	for _, thing := range s.things {
		s.running.Go(func() { s.run(ctx, thing) })
	}
	return s
}

func (s *swarm) stop() {
	s.cancel()
	s.running.Wait()
}

// create creates a job for all devices in the test's own process, not in a gateway to which they are connected.
func (s *swarm) create(id, group string) {
	s.f.Helper()
	r := jobs.CreateJobRequest{ID: id, Document: `{"do":"` + id + `"}`, Targets: []string{s.f.service.Names().GroupARN(group)}}
	if _, err := s.f.service.CreateJob(s.f.Context(), time.Now(), r); err != nil {
		s.f.Fatal(err)
	}
}

// await waits until a counter has reached n.
func (s *swarm) await(what string, counter *atomic.Int64, n int64, within time.Duration) {
	s.f.Helper()
	for end := time.Now().Add(within); counter.Load() < n; time.Sleep(10 * time.Millisecond) {
		if text := s.wrong.Load(); text != nil {
			s.f.Fatal(*text)
		}
		if time.Now().After(end) {
			s.f.Fatalf("%s: %d of %d after %v", what, counter.Load(), n, within)
		}
	}
}

// run runs a device until its jobs are done. It reconnects at once after a lost connection, as a badly written device does.
func (s *swarm) run(ctx context.Context, thing string) {
	d := &mqttDevice{swarm: s, ctx: ctx, name: thing, done: map[string]bool{}}
	for ctx.Err() == nil && len(d.done) < s.jobs {
		err := d.session()
		if d.online {
			s.lost.Add(1)
			s.connected.Add(-1)
		}
		d.close()
		var bad *unexpected
		if errors.As(err, &bad) {
			text := bad.Error()
			s.wrong.Store(&text)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond): // all devices share one machine
		}
	}
}

// unexpected is an answer that a device must not get, whatever fails.
type unexpected struct{ what string }

func (e *unexpected) Error() string { return e.what }

// mqttDevice is one device. The state of its job is kept across connections.
type mqttDevice struct {
	*swarm
	ctx    context.Context
	name   string
	done   map[string]bool // its completed jobs
	conn   net.Conn
	buffer []byte
	id     uint16
	next   string // the job of the last notice, "" if none
	online bool

	release func() bool // stops ctx from closing conn
	current string      // the job in progress
	ending  bool        // the job's last report was sent
	unsure  bool        // the latest report was not answered
}

func (d *mqttDevice) topic(rest string) string { return "$aws/things/" + d.name + "/jobs/" + rest }

func (d *mqttDevice) close() {
	if d.conn != nil {
		d.release()
		_ = d.conn.Close()
	}
	d.conn, d.buffer, d.next, d.online = nil, nil, "", false
}

// session is one connection. It subscribes, continues the current job, starts the next, and then waits for notices of others.
func (d *mqttDevice) session() error {
	if err := d.connect(); err != nil {
		return err
	}
	if d.current != "" {
		if err := d.work(d.current); err != nil {
			return err
		}
	}
	for len(d.done) < d.jobs {
		d.next = ""
		answer, err := d.ask("start-next", `{}`)
		if err != nil {
			return err
		}
		if !d.online {
			d.online = true
			d.connected.Add(1)
		}
		if job := answer.Execution.JobID; job != "" {
			if err := d.work(job); err != nil {
				return err
			}
			continue
		}
		for d.next == "" || d.done[d.next] {
			if _, err := d.read(); err != nil {
				return err
			}
		}
	}
	return nil
}

// connect connects and subscribes.
func (d *mqttDevice) connect() error {
	conn, err := net.DialTimeout("tcp", d.address(), grace)
	if err != nil {
		return err
	}
	d.conn = conn
	d.release = context.AfterFunc(d.ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(50*time.Second + grace))
	m := packet.Connect{Version: packet.V311, Clean: true, KeepAlive: 600, ClientID: []byte(d.name)}
	if err := d.send(packet.AppendConnect(nil, &m)); err != nil {
		return err
	}
	p, err := d.read()
	if err != nil {
		return err
	}
	var ack packet.Connack
	if p.Type != packet.CONNACK || packet.ParseConnack(p.Body, packet.V311, &ack) != nil || ack.Reason != packet.Success {
		d.refused.Add(1)
		return fmt.Errorf("CONNECT was answered by %d %x", p.Type, p.Body)
	}
	list := []packet.Subscription{{Filter: []byte(d.topic("notify-next")), QoS: 1}}
	if err := d.send(packet.AppendSubscribe(nil, packet.V311, 1, &packet.Properties{}, list)); err != nil {
		return err
	}
	if p, err = d.read(); err == nil && p.Type != packet.SUBACK {
		err = &unexpected{fmt.Sprintf("SUBSCRIBE was answered by %d %x", p.Type, p.Body)}
	}
	_ = conn.SetDeadline(time.Time{})
	return err
}

func (d *mqttDevice) send(b []byte) error {
	_, err := d.conn.Write(b)
	return err
}

// read returns the next packet. It records and acknowledges notices.
func (d *mqttDevice) read() (packet.Packet, error) {
	for {
		p, n, err := packet.Split(d.buffer, 0)
		if err != nil {
			return p, &unexpected{err.Error()}
		}
		if n == 0 {
			b := make([]byte, 2048)
			got, err := d.conn.Read(b)
			d.buffer = append(d.buffer, b[:got]...)
			if got == 0 && err != nil {
				return p, err
			}
			continue
		}
		p.Body = append([]byte(nil), p.Body...)
		d.buffer = d.buffer[n:]
		return p, d.notice(p)
	}
}

// notice records and acknowledges p if it is a notice.
func (d *mqttDevice) notice(p packet.Packet) error {
	var m packet.Publish
	if p.Type != packet.PUBLISH || packet.ParsePublish(p, packet.V311, &m) != nil || !strings.HasSuffix(string(m.Topic), "/notify-next") {
		return nil
	}
	var a deviceAnswer
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		return &unexpected{fmt.Sprintf("%s: %s", m.Topic, m.Payload)}
	}
	d.next = a.Execution.JobID
	return d.send(packet.AppendPuback(nil, packet.V311, packet.Puback{ID: m.ID}))
}

// deviceAnswer has the fields of answers and notices.
type deviceAnswer struct {
	Code      string
	Message   string
	Execution struct {
		JobID         string `json:"jobId"`
		Status        string
		VersionNumber int
		StatusDetails map[string]string
	}
	ExecutionState struct {
		Status        string
		VersionNumber int
	}
}

// ask sends a request with QoS 1 and returns its answer. It tries again while the gateway cannot reach its database.
func (d *mqttDevice) ask(rest, payload string) (a deviceAnswer, err error) {
	for {
		if d.id++; d.id == 0 {
			d.id = 1
		}
		m := packet.Publish{QoS: 1, ID: d.id, Topic: []byte(d.topic(rest)), Payload: []byte(payload)}
		if err := d.send(packet.AppendPublish(nil, packet.V311, &m)); err != nil {
			return a, err
		}
		for answered := false; !answered; {
			p, err := d.read()
			if err != nil {
				return a, err
			}
			var m packet.Publish
			if p.Type != packet.PUBLISH || packet.ParsePublish(p, packet.V311, &m) != nil || !strings.HasPrefix(string(m.Topic), d.topic(rest)+"/") {
				continue
			}
			answered = true
			a = deviceAnswer{}
			if err := json.Unmarshal(m.Payload, &a); err != nil {
				return a, &unexpected{fmt.Sprintf("%s: %s", m.Topic, m.Payload)}
			}
		}
		if a.Code != "InternalError" && a.Code != "RequestThrottled" {
			return a, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// work continues a started job where an earlier connection stopped. Each report has the expected version, so a report whose
// answer was lost is not made twice. The database may commit that report after the device has requested its job. Then the next
// report fails, and the device requests the job again.
func (d *mqttDevice) work(job string) error {
	if d.current != job {
		d.current, d.ending, d.unsure = job, false, false
		d.begun.Add(1)
	}
	a, err := d.ask(job+"/get", `{}`)
	if err != nil {
		return err
	}
	if a.Code == "TerminalStateReached" && d.ending { // the answer was lost
		d.end()
		return nil
	}
	e := a.Execution
	if e.JobID != job || e.Status != "IN_PROGRESS" {
		return &unexpected{fmt.Sprintf("%s: get of %s is %+v", d.name, job, a)}
	}
	for version := e.VersionNumber; version <= 2+reports; version++ {
		if want := version - 2; want > 0 && version == e.VersionNumber && e.StatusDetails["n"] != fmt.Sprint(want) {
			return &unexpected{fmt.Sprintf("%s: %s has version %d and report %q", d.name, job, version, e.StatusDetails["n"])}
		}
		payload := fmt.Sprintf(`{"status":"IN_PROGRESS","expectedVersion":%d,"statusDetails":{"n":"%d"}}`, version, version-1)
		last := version == 2+reports
		if last {
			d.ending = true
			payload = fmt.Sprintf(`{"status":"SUCCEEDED","expectedVersion":%d}`, version)
		}
		unsure := d.unsure
		d.unsure = true
		if a, err = d.ask(job+"/update", payload); err != nil {
			return err
		}
		d.unsure = false
		if unsure && (a.Code == "VersionMismatch" || a.Code == "TerminalStateReached") {
			return d.work(job)
		}
		if a.Code != "" {
			return &unexpected{fmt.Sprintf("%s: %s of version %d: %s %s", d.name, job, version, a.Code, a.Message)}
		}
	}
	d.end()
	return nil
}

// end records that the job is completed.
func (d *mqttDevice) end() {
	d.done[d.current], d.current = true, ""
	d.ended.Add(1)
}

// verify checks that in the store, each job of each device was completed by exactly the changes that the device made.
func (s *swarm) verify(ids ...string) {
	s.f.Helper()
	s.stop()
	if text := s.wrong.Load(); text != nil {
		s.f.Fatal(*text)
	}
	for _, id := range ids {
		for _, thing := range s.things {
			e, err := s.f.service.Execution(context.Background(), thing, id, 0)
			if err != nil {
				s.f.Fatal(err)
			}
			if e.Status != jobs.Succeeded || e.Version != 3+reports {
				s.f.Errorf("%s of %s: %v with version %d, want %d", id, thing, e.Status, e.Version, 3+reports)
			}
		}
		s.f.awaitCompleted(id, 11*time.Second)
	}
	s.f.checkStore()
	s.f.Logf("%d devices, %d connections lost, %d refused, %d jobs ended", len(s.things), s.lost.Load(), s.refused.Load(), s.ended.Load())
}
