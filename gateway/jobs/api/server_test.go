package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/events"
	"jobgate/presigner"
)

// serve runs the plane's server on loopback and returns its address. The plane's clock is the machine's.
func (p *plane) serve() (address string) {
	p.t.Helper()
	p.control.config.Clock, p.now = time.Now, time.Now()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	server := p.control.httpServer()
	edged, err := edge.NewListener(listener, edge.Options{Name: "control"})
	if err != nil {
		p.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(edged) }()
	p.t.Cleanup(func() {
		p.control.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			p.t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			p.t.Errorf("serve: %v", err)
		}
	})
	return listener.Addr().String()
}

// httpServer serves the plane as the gateway does.
func (l *Listener) httpServer() *edge.HTTP {
	o := l.HTTP()
	o.MaxRequestHeader, o.MaxBody, o.ReadTimeout, o.IdleTimeout = 16<<10, 1<<20, 10*time.Second, 75*time.Second
	return edge.NewHTTP(o)
}

// raw sends bytes and returns the answer.
func raw(t *testing.T, address, text string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Too large or malformed requests are refused in AWS's form, before authentication.
func TestServerRefuses(t *testing.T) {
	p := newPlane(t)
	address := p.serve()
	f := func(what, text string, status int, name string) {
		t.Helper()
		res := raw(t, address, text)
		defer func() { _ = res.Body.Close() }()
		var b [512]byte
		n, _ := res.Body.Read(b[:])
		if res.StatusCode != status || res.Header.Get("X-Amzn-ErrorType") != name || !strings.HasPrefix(string(b[:n]), `{"message":"`) {
			t.Errorf("%s: %d %s %s, want %d %s", what, res.StatusCode, res.Header.Get("X-Amzn-ErrorType"), b[:n], status, name)
		}
	}
	before := p.store.writes.Load()
	f("body too large", "PUT /jobs/j HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n", 413, "RequestEntityTooLargeException")
	chunks := "Transfer-Encoding: chunked\r\n\r\n100001\r\n" + strings.Repeat("x", 0x100001) + "\r\n0\r\n\r\n"
	signed := func(id string, at time.Time) string {
		at = at.UTC()
		return fmt.Sprintf("Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/iot/aws4_request, SignedHeaders=host, Signature=0\r\nX-Amz-Date: %s\r\n",
			id, at.Format("20060102"), at.Format("20060102T150405Z"))
	}
	f("chunks too large", "PUT /jobs/j HTTP/1.1\r\nHost: x\r\n"+signed(operator.id, p.now)+chunks, 413, "RequestEntityTooLargeException")
	f("unsigned chunks", "PUT /jobs/j HTTP/1.1\r\nHost: x\r\n"+chunks, 403, "MissingAuthenticationTokenException")
	f("an unsigned body is not waited for", "PUT /jobs/j HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 403, "MissingAuthenticationTokenException")
	for _, bad := range []struct {
		what, header string
		status       int
		name         string
	}{
		{"the signature is none", "Authorization: AWS4-HMAC-SHA256 x\r\n", 400, "IncompleteSignatureException"},
		{"the date is missing", strings.Split(signed(operator.id, p.now), "X-Amz-Date")[0], 400, "IncompleteSignatureException"},
		{"the key is unknown", signed("AKIANOBODY", p.now), 403, "UnrecognizedClientException"},
		{"it is old", signed(operator.id, p.now.Add(-time.Hour)), 403, "InvalidSignatureException"},
		{"it is of tomorrow", signed(operator.id, p.now.Add(24*time.Hour)), 403, "InvalidSignatureException"},
	} {
		for _, framing := range []string{"Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nhe", "Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n"} {
			f("a body is not waited for where "+bad.what, "PUT /jobs/j HTTP/1.1\r\nHost: x\r\n"+bad.header+framing, bad.status, bad.name)
		}
	}
	query := "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIANOBODY%2F" + p.now.UTC().Format("20060102") + "%2Fus-east-1%2Fiot-jobs-data%2Faws4_request&X-Amz-Date=" +
		p.now.UTC().Format("20060102T150405Z") + "&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
	f("nor where the key in the query is", "PUT /things/a/jobs/$next"+query+" HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 403, "UnrecognizedClientException")
	f("nor asked for", "PUT /jobs/j HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n", 403, "MissingAuthenticationTokenException")
	f("one that is too large neither", "PUT /jobs/j HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"+signed(operator.id, p.now)+"Content-Length: 1048577\r\n\r\n", 413, "RequestEntityTooLargeException")
	f("header too large", "GET /jobs HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 20000)+"\r\n\r\n", 431, "RequestHeaderFieldsTooLargeException")
	f("no request", "\x16\x03\x01 hello\r\n\r\n", 400, "InvalidRequestException")
	f("a form", "POST /tags HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 2\r\n\r\n{}", 403, "MissingAuthenticationTokenException")
	f("unsigned", "GET /jobs HTTP/1.1\r\nHost: x\r\n\r\n", 403, "MissingAuthenticationTokenException")
	if p.store.writes.Load() != before {
		t.Error("something changed")
	}
}

var errEnough = errors.New("enough")

// A follower sees a job's creation, progress and end, in order.
func TestWatch(t *testing.T) {
	p := newPlane(t)
	address := p.serve()
	p.createThings("a")
	o := events.Options{
		Endpoint: "http://" + address, Region: testNames.Region,
		Credentials: presigner.Credentials{AccessKeyID: operator.id, SecretAccessKey: operator.secret},
	}
	f := func(change func(*events.Options), want ...string) (finish func()) {
		t.Helper()
		options, got, done := o, []string{}, make(chan error, 1)
		change(&options)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		connected := make(chan struct{})
		options.Connected = func() { close(connected) }
		go func() {
			done <- events.Watch(ctx, options, func(e events.Event) error {
				if e.Type == "job.progress" { // their number varies
					return nil
				}
				line := strings.TrimSpace(fmt.Sprintf("%s %s %s", e.Type, e.JobID, e.Status))
				if len(e.StatusDetails) > 0 {
					line += fmt.Sprint(" ", e.StatusDetails)
				}
				got = append(got, line)
				if len(got) == len(want) {
					return errEnough
				}
				return nil
			})
		}()
		<-connected
		return func() {
			t.Helper()
			defer cancel()
			if err := <-done; !errors.Is(err, errEnough) || strings.Join(got, "; ") != strings.Join(want, "; ") {
				t.Errorf("%v, got %q, want %q", err, got, want)
			}
		}
	}
	all := f(func(*events.Options) {}, "job.created j1", "execution.updated j1 QUEUED", "job.created j2", "execution.updated j2 QUEUED",
		"execution.updated j1 IN_PROGRESS", "execution.updated j1 SUCCEEDED map[step:last]", "job.completed j1")
	one := f(func(o *events.Options) { o.JobID = "j2" }, "job.created j2", "execution.updated j2 QUEUED")
	onlyJobs := f(func(o *events.Options) { o.OnlyJobs = true }, "job.created j1", "job.created j2", "job.completed j1")
	p.createJob("j1", "a")
	p.createJob("j2", "a")
	device := operator.asDevice()
	p.ok(device, "PUT", "/things/a/jobs/$next", `{"statusDetails":{"step":"first"}}`)
	p.ok(device, "POST", "/things/a/jobs/j1", `{"status":"SUCCEEDED","statusDetails":{"step":"last"}}`)
	p.tick()
	all()
	one()
	onlyJobs()
}

func TestWatchFails(t *testing.T) {
	p := newPlane(t)
	address := p.serve()
	f := func(o events.Options, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := events.Watch(ctx, o, func(events.Event) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want …%s…", err, want)
		}
	}
	good := presigner.Credentials{AccessKeyID: operator.id, SecretAccessKey: operator.secret}
	f(events.Options{Endpoint: "localhost"}, "not an address")
	f(events.Options{Endpoint: "http://127.0.0.1:1", Region: "us-east-1", Credentials: good}, "refused")
	f(events.Options{Endpoint: "http://" + address, Region: "eu-west-1", Credentials: good}, "InvalidSignatureException: Credential should be scoped")
	f(events.Options{Endpoint: "http://" + address, Region: "us-east-1", Credentials: presigner.Credentials{AccessKeyID: sensor.id, SecretAccessKey: sensor.secret}}, "AccessDenied")
	f(events.Options{Endpoint: "http://" + address, Region: "us-east-1", Credentials: good, JobID: "a b"}, "jobId")
	o := events.Options{Endpoint: "http://" + address, Region: "us-east-1", Credentials: good, Connected: p.control.Close}
	if err := events.Watch(context.Background(), o, func(events.Event) error { return nil }); !errors.Is(err, events.ErrStreamEnded) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCollector(t *testing.T) {
	p := newPlane(t)
	p.createThings("a", "b")
	p.createJob("j", "a", "b")
	p.ok(operator.asDevice(), "POST", "/things/a/jobs/j", `{"status":"SUCCEEDED"}`)
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(p.service))
	want := `# HELP jobgate_job_executions Job executions in the store, by status; a thing counts once a job, by its latest execution.
# TYPE jobgate_job_executions gauge
jobgate_job_executions{status="CANCELED"} 0
jobgate_job_executions{status="FAILED"} 0
jobgate_job_executions{status="IN_PROGRESS"} 0
jobgate_job_executions{status="QUEUED"} 1
jobgate_job_executions{status="REJECTED"} 0
jobgate_job_executions{status="REMOVED"} 0
jobgate_job_executions{status="SUCCEEDED"} 1
jobgate_job_executions{status="TIMED_OUT"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// A stream ends once its key is no longer listed or has fewer permissions. If the reloaded file still lists the key
// unchanged, the stream continues.
func TestWatchEndsWithItsKey(t *testing.T) {
	p := newPlane(t)
	address := p.serve()
	p.createThings("a")
	f := func(what, file string, want error) {
		t.Helper()
		p.createJob("j", "a")
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		o := events.Options{
			Endpoint: "http://" + address, Region: testNames.Region,
			Credentials: presigner.Credentials{AccessKeyID: operator.id, SecretAccessKey: operator.secret},
			Connected: func() {
				p.setKeys(file)
				if err := p.service.DeleteJob(ctx, p.now, jobs.DeleteJobRequest{ID: "j", Force: true}); err != nil {
					t.Error(err)
				}
			},
		}
		if err := events.Watch(ctx, o, func(events.Event) error { return errEnough }); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		p.setKeys(keyFileText)
	}
	f("the same", keyFileText, errEnough)
	f("gone", strings.ReplaceAll(keyFileText, operator.id, "AKIAOPERATOR00000002"), events.ErrStreamEnded)
	f("another secret", strings.ReplaceAll(keyFileText, operator.secret, "operators-secret-0002"), events.ErrStreamEnded)
}

// setKeys replaces the access keys.
func (p *plane) setKeys(file string) {
	p.t.Helper()
	keys, err := access.ParseKeys([]byte(file))
	if err != nil {
		p.t.Fatal(err)
	}
	p.verifier.SetKeys(keys)
}
