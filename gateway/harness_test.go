package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"jobgate/gateway"
	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/metrics"
	"jobgate/gateway/signing"
	"jobgate/presigner"
	"jobgate/presigner/role"
)

// static are the credentials of every signer in these tests.
var static = presigner.Credentials{
	AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	SessionToken: strings.Repeat("FwoGZXIvYXdzEBYaD+/=", 45), // 900 bytes
}

// retrieve returns static to the credential chain.
func retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: static.AccessKeyID, SecretAccessKey: static.SecretAccessKey, SessionToken: static.SessionToken}, nil
}

// testGateway is a Handler behind a fasthttp server with an in-memory listener.
type testGateway struct {
	t       testing.TB
	folder  string // the documents' folder
	handler *gateway.Handler
	metrics *metrics.Set
	log     *logBuffer
	ln      *fasthttputil.InmemoryListener
	now     atomic.Pointer[time.Time] // nil: the real clock
}

// logBuffer keeps the log.
type logBuffer struct {
	b atomic.Pointer[string]
}

func (l *logBuffer) Write(p []byte) (int, error) {
	for {
		old := l.b.Load()
		text := string(p)
		if old != nil {
			text = *old + text
		}
		if l.b.CompareAndSwap(old, &text) {
			return len(p), nil
		}
	}
}

func (l *logBuffer) String() string {
	if s := l.b.Load(); s != nil {
		return *s
	}
	return ""
}

var defaultLimits = gateway.Limits{
	MaxDocument: 1 << 20, MaxPlaceholders: 100, MaxRendered: 4 << 20, MaxRequestHeader: 8 << 10, MaxBody: 1 << 20,
	ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second, UpstreamTimeout: 5 * time.Second,
}

// documentPath is the path of the route that every test gateway has.
const documentPath = "/things/{thingName}/jobs/{jobId}/document"

// newGateway starts a gateway with one route to the files of a folder. change may alter its configuration.
func newGateway(t testing.TB, change func(*gateway.Config, *testGateway)) *testGateway {
	t.Helper()
	g := &testGateway{t: t, folder: t.TempDir(), metrics: metrics.New("test", "test"), log: &logBuffer{}}
	roles, err := role.New(role.Options{
		AWS:   aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(retrieve)},
		Roles: []role.Config{{Name: "", Expires: 15 * time.Minute}},
	})
	if err != nil {
		t.Fatal(err)
	}
	roles.Start(context.Background())
	t.Cleanup(roles.Close)
	own, _ := roles.Role("")
	if _, err := own.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	level := slog.LevelDebug
	if _, is := t.(*testing.B); is {
		level = slog.LevelInfo // the default; a log line per request would dominate the benchmark
	}
	documents, err := gateway.NewDocuments(gateway.DocumentsConfig{
		MaxBytes: 64 << 20, Fresh: 30 * time.Second, StaleIfError: 24 * time.Hour, Negative: 2 * time.Second, MaxLoads: 64, LoadTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(documents.Close)
	c := gateway.Config{
		Routes:  []gateway.Route{{Path: documentPath, Document: "file://" + g.folder + "/{jobId}.json", Expires: 15 * time.Minute}},
		Limits:  defaultLimits,
		Presign: gateway.Presign{Quantum: time.Second, Expires: 15 * time.Minute},
		Rules:   map[string]signing.RoleRules{"": {Setting: "presign", MaxExpires: 12 * time.Hour}},
		Roles:   roles, Documents: documents, Metrics: g.metrics,
		Log: slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{Level: level})),
		Clock: func(ctx *fasthttp.RequestCtx) time.Time {
			if now := g.now.Load(); now != nil {
				return *now
			}
			return ctx.Time()
		},
	}
	if change != nil {
		change(&c, g)
	}
	if g.handler, err = gateway.New(c); err != nil {
		t.Fatal(err)
	}
	g.serve(g.handler.Serve, true)
	return g
}

// serve runs handler behind a server that is configured like the real one. The devices' server streams.
func (g *testGateway) serve(handler edge.Handler, streaming bool) {
	ln := fasthttputil.NewInmemoryListener()
	log := slog.New(slog.NewTextHandler(g.log, nil))
	server := edge.NewHTTP(edge.HTTPOptions{
		Handler: handler, Route: g.metrics.Edge.Route("none", log), Panics: g.metrics.Edge.Panics, Refusals: edge.Refusals{Log: log, Limit: new(edge.LogLimit)},
		MaxRequestHeader: 8 << 10, MaxBody: 1 << 20, ReadTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second, Streaming: streaming,
	})
	go func() { _ = server.Serve(ln) }()
	g.t.Cleanup(func() { _ = ln.Close() })
	g.ln = ln
}

// at sets the gateway's clock.
func (g *testGateway) at(now time.Time) { g.now.Store(&now) }

// write puts a document in the gateway's folder.
func (g *testGateway) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.folder, name), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// response is an answer whose body was read.
type response struct {
	*http.Response
	body string
}

// get sends a GET request.
func (g *testGateway) get(path string, header ...string) response {
	g.t.Helper()
	return g.do("GET", path, "", header...)
}

// do sends a request with its target unchanged. Headers are "Name: value".
func (g *testGateway) do(method, target, body string, header ...string) response {
	g.t.Helper()
	conn, err := g.ln.Dial()
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return roundTrip(g.t, conn, method, target, body, header...)
}

func roundTrip(t testing.TB, conn net.Conn, method, target, body string, header ...string) response {
	t.Helper()
	request := method + " " + target + " HTTP/1.1\r\n"
	if !strings.Contains(strings.Join(header, "\n"), "Host:") {
		request += "Host: gateway.test\r\n"
	}
	for _, line := range header {
		request += line + "\r\n"
	}
	if body != "" {
		request += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	if _, err := io.WriteString(conn, request+"Connection: close\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer func() { _ = r.Body.Close() }()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return response{r, string(data)}
}

// verifyURL checks a URL that was signed with static, and returns its contents.
func verifyURL(t testing.TB, raw, method string, now time.Time) presigner.Verified {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	v, err := presigner.Verify(presigner.Verification{
		Method: method, Host: u.Host, RequestURI: u.RequestURI(), Time: now,
		Lookup: func(id string) (presigner.Credentials, bool) { return static, id == static.AccessKeyID },
	})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return v
}

// panicking is a jobs service with a bug.
type panicking struct{}

func (panicking) Match(_ []byte, x *data.Exchange) bool {
	return string(x.Target.Path()) == "/things/t/jobs"
}

func (panicking) Serve(*fasthttp.RequestCtx, *data.Exchange) { panic("boom") }
