package load

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"
	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
	"jobgate/gateway/servertest"
)

// unsigned renders documents without signing.
type unsigned struct{}

func (unsigned) AppendDocument(dst []byte, d *jobs.Document, _ *jobs.Execution, _ time.Time) ([]byte, error) {
	return d.Template.AppendTo(dst, &jobdoc.Context{})
}

// mqttGateway is a running gateway with things thing-0 to thing-7, and one job for all of them if document is not empty.
type mqttGateway struct {
	*operations.Service
	address string
}

func serveMQTT(t testing.TB, document string) *mqttGateway {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	store := rules.Over(engine)
	t.Cleanup(func() { _ = store.Close() })
	s, err := operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	driven := make(chan struct{})
	go func() { defer close(driven); s.Driver().Run(ctx) }()
	t.Cleanup(func() { stop(); <-driven })
	r := jobs.CreateJobRequest{ID: "job-0", Document: document}
	for i := range 8 {
		name := "thing-" + string(rune('0'+i))
		if _, err := s.CreateThing(ctx, time.Now(), jobs.CreateThingRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
		r.Targets = append(r.Targets, s.Names().ThingARN(name))
	}
	if document != "" {
		if _, err := s.CreateJob(ctx, time.Now(), r); err != nil {
			t.Fatal(err)
		}
	}
	server, err := mqtt.New(mqtt.Config{Service: s, Documents: unsigned{}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := edge.Listen(edge.Options{Name: "mqtt", Address: "127.0.0.1:0", ReadTimeout: time.Minute, IdleTimeout: time.Minute, WriteTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &mqttGateway{s, ln.Addr().String()}
}

// mqttPlan returns the plan of a closed loop over MQTT. Its steps' paths are appended to /$aws/things/{thingName}/jobs.
func mqttPlan(t testing.TB, url string, count int64, steps ...plan.Step) *plan.Plan {
	t.Helper()
	p := closedPlan(t, url, 8, 0)
	p.Count, p.Things = count, mustNames(t, "thing-", "8", plan.Uniform)
	for i := range steps {
		steps[i].Path = "/$aws/things/{thingName}/jobs" + steps[i].Path
	}
	p.Flows = []plan.Flow{{Name: "life", Weight: 1, Steps: steps}}
	return p
}

// Each device sends its own requests, in both protocol versions and both loops, and the answers are checked.
func TestMQTT(t *testing.T) {
	t.Parallel()
	url := "mqtt://" + serveMQTT(t, `{"do":"it"}`).address
	for _, v311 := range []bool{false, true} {
		p := mqttPlan(t, url, 400, plan.Step{Path: "/$next/get"})
		p.V311 = v311
		c := mustRun(t, p).Counts
		if c.Good != 400 || c.Failed != 0 || c.Connects != 8 || c.BytesIn == 0 || len(c.Status) != 0 {
			t.Errorf("3.1.1 %t: %+v", v311, c)
		}
		p = mqttPlan(t, url, 0, plan.Step{Path: "/$next/get"})
		p.V311, p.Stages, p.Duration = v311, []plan.Stage{{From: 200, To: 200}}, time.Second
		if res := mustRun(t, p); res.Counts.Good != 200 || res.Latency.Count() != 200 {
			t.Errorf("3.1.1 %t, open loop: %+v, %v", v311, res.Counts, res.Errors)
		}
	}
}

// A device's whole flow: a captured value is used in the next topic, and the store has the result.
func TestMQTTLife(t *testing.T) {
	t.Parallel()
	g := serveMQTT(t, `{"do":"it"}`)
	p := mqttPlan(t, "mqtt://"+g.address, 8,
		plan.Step{Name: "start", Path: "/start-next", Capture: map[string]string{"job": "execution.jobId"}},
		plan.Step{Name: "report", Path: "/{job}/update", Body: `{"status":"SUCCEEDED","statusDetails":{"by":"{thingName}"}}`})
	p.Connections = 1
	p.Things = mustNames(t, "thing-", "3..3", plan.Uniform)
	p.Count = 1
	if res := mustRun(t, p); res.Counts.Good != 2 {
		t.Fatalf("%+v: %v", res.Counts, res.Errors)
	}
	e, _, err := g.Describe(t.Context(), jobs.DescribeExecutionRequest{Thing: "thing-3", JobID: "job-0"})
	if e.Execution.Status.String() != "SUCCEEDED" {
		t.Errorf("the execution is %+v, %v", e, err)
	}
}

// Rejected updates, refused connections and invalid steps fail with an error that says why.
func TestMQTTFaults(t *testing.T) {
	t.Parallel()
	good := "mqtt://" + serveMQTT(t, `{"do":"it"}`).address
	res := mustRun(t, mqttPlan(t, good, 40, plan.Step{Path: "/job-0/update", Body: `{"status":"IN_PROGRESS","expectedVersion":99}`}))
	if failures(res, answer.Rejected) != 40 || !strings.Contains(res.Errors[0].Example, "VersionMismatch") {
		t.Errorf("stale updates: %+v, %v", res.Counts, res.Errors)
	}
	for name, edit := range map[string]func(*plan.Plan){
		"another thing's topic": func(p *plan.Plan) {
			p.Flows[0].Steps[0].Path, p.Things = "/$aws/things/thing-1/jobs/get", mustNames(t, "other-", "1", plan.Uniform)
		},
		"another protocol": func(p *plan.Plan) {
			p.URL = strings.Replace(serve(t, answerJSON), "http", "mqtt", 1)
			p.Timeout = 2 * time.Second // net/http waits for a line break
		},
	} {
		p := mqttPlan(t, good, 1, plan.Step{Path: "/get"})
		edit(p)
		_, err := play(t, p)
		errIs(t, err, ErrUnreachable)
		t.Log(name, err)
	}
	for _, p := range []*plan.Plan{
		mqttPlan(t, good, 1, plan.Step{Path: "/get", Method: "POST"}),
		mqttPlan(t, good, 1, plan.Step{Path: "/get", Body: "text"}),
		mqttPlan(t, good, 1, plan.Step{Path: "/get", Body: `{"clientToken":"mine"}`}),
		mqttPlan(t, good, 1, plan.Step{Path: "/+/get"}),
		mqttPlan(t, good, 1, plan.Step{Path: "/get", Status: []int{200}}),
	} {
		if _, err := play(t, p); err == nil {
			t.Errorf("the step %+v was accepted", p.Flows[0].Steps[0])
		}
	}
}

// A connection replaced because of its age is reopened with its subscriptions, and no request fails.
func TestMQTTReconnect(t *testing.T) {
	t.Parallel()
	p := mqttPlan(t, "mqtt://"+serveMQTT(t, "").address, 200, plan.Step{Path: "/$next/get"})
	p.ReconnectAfter = time.Millisecond
	if c := mustRun(t, p).Counts; c.Good != 200 || c.Reconnects == 0 {
		t.Errorf("%+v", c)
	}
}

func TestMQTTS(t *testing.T) {
	t.Parallel()
	address := serveMQTT(t, "").address
	https := httptest.NewTLSServer(nil)
	t.Cleanup(https.Close)
	front := servertest.Serve(t, func(conn net.Conn) {
		up, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		c := tls.Server(conn, &tls.Config{Certificates: https.TLS.Certificates})
		go func() { _, _ = io.Copy(up, c); _ = up.Close() }()
		_, _ = io.Copy(c, up)
		_ = c.Close()
	})
	p := mqttPlan(t, "mqtts://"+front, 80, plan.Step{Path: "/$next/get"})
	p.TLS = https.Client().Transport.(*http.Transport).TLSClientConfig
	res := mustRun(t, p)
	if c := res.Counts; c.Good != 80 || c.Handshakes != 8 || !strings.HasPrefix(res.Plan.TLS, "TLS 1.3") {
		t.Errorf("%+v, %q, %v", c, res.Plan.TLS, res.Errors)
	}
}

func BenchmarkMQTT(b *testing.B) {
	p := mqttPlan(b, "mqtt://"+serveMQTT(b, "").address, int64(b.N), plan.Step{Path: "/$next/get"})
	b.ReportAllocs()
	res := mustRun(b, p)
	b.ReportMetric(float64(res.Counts.Good)/res.Seconds, "answers/s")
}
