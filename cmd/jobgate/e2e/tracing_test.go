package e2e_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"jobgate/gateway/servertest"
)

// spans is an OpenTelemetry collector that keeps the spans it receives.
type spans struct {
	URL string

	mu   sync.Mutex
	all  []*tracepb.Span
	from map[string]string // the resource's attributes
	auth string
}

func newCollector(t *testing.T) *spans {
	t.Helper()
	s := &spans{from: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
			http.Error(w, "no traces", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.auth = r.Header.Get("Authorization")
		for _, of := range sent.ResourceSpans {
			for _, a := range of.Resource.Attributes {
				s.from[a.Key] = a.Value.GetStringValue()
			}
			for _, scope := range of.ScopeSpans {
				s.all = append(s.all, scope.Spans...)
			}
		}
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// of waits until a trace has a span with the name, and returns the trace's spans by name.
func (s *spans) of(t *testing.T, trace, name string) map[string]*tracepb.Span {
	t.Helper()
	var found map[string]*tracepb.Span
	servertest.Eventually(t, "the collector has "+name+" of trace "+trace, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		found = map[string]*tracepb.Span{}
		for _, span := range s.all {
			if trace == "" || hex.EncodeToString(span.TraceId) == trace {
				found[span.Name] = span
			}
		}
		return found[name] != nil
	})
	return found
}

// TestTracing traces devices' requests to an upstream, a source, STS and the jobs store.
func TestTracing(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	var mu sync.Mutex
	parents := map[string]string{} // traceparent, by path
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		parents[r.URL.Path] = r.Header.Get("Traceparent") + " " + r.Header.Get("Tracestate")
		_, _ = io.WriteString(w, `{"a": 1}`)
	}))
	t.Cleanup(backend.Close)
	parent := func(path string) string {
		mu.Lock()
		defer mu.Unlock()
		return parents[path]
	}
	s := newSite(t)
	s.object("doc.json", `{"fw": "${aws:iot:s3-presigned-url:$S3/$BUCKET/doc.json}"}`)
	g := s.serve(`
upstream: ["`+backend.URL+`"]
cache: {role: download}
routes:
  - {path: "/s3/{jobId}", document: "s3://$BUCKET/{jobId}.json"}
  - {path: "/http/{jobId}", document: "`+backend.URL+`/templates/{jobId}"}
jobs: {enabled: true, store: "`+s.folder+`/jobs.db"}
control: 127.0.0.1:0
`+downloadRole,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Basic hidden-token", "OTEL_BSP_SCHEDULE_DELAY=50",
		"OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test")
	logs.secret("hidden-token")
	base := "http://" + g.devices

	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	sampled := []string{"Traceparent: 00-" + trace + "-" + span + "-01", "Tracestate: vendor=1"}
	get(t, base+"/backend?X-Amz-Signature=secret", sampled...)
	found := c.of(t, trace, "GET proxy")
	server, upstream := found["GET proxy"], found["upstream"]
	if upstream == nil || hex.EncodeToString(server.ParentSpanId) != span || string(upstream.ParentSpanId) != string(server.SpanId) {
		t.Errorf("the spans of a proxied request are not linked: %v", found)
	}
	if want := "00-" + trace + "-" + hex.EncodeToString(upstream.SpanId) + "-01 vendor=1"; parent("/backend") != want {
		t.Errorf("the upstream got the traceparent %q, want %q", parent("/backend"), want)
	}
	for _, a := range server.Attributes {
		if strings.Contains(a.Value.GetStringValue(), "secret") {
			t.Errorf("the span has the query: %v", a)
		}
	}

	get(t, base+"/http/a", sampled...)
	load := c.of(t, trace, "load from http")["load from http"]
	if want := "00-" + trace + "-" + hex.EncodeToString(load.SpanId) + "-01 vendor=1"; parent("/templates/a") != want {
		t.Errorf("the source got the traceparent %q, want %q", parent("/templates/a"), want)
	}
	if a := get(t, base+"/s3/doc", sampled...); a.status != http.StatusOK {
		t.Errorf("a traced request for a document in S3: %d %s", a.status, a.body)
	}
	c.of(t, trace, "load from s3")
	if do(t, http.MethodPut, base+"/things/nobody/jobs/$next", "{}", sampled...); c.of(t, trace, "PUT jobs")["store pending"] == nil {
		t.Error("no span of the store below the device's request")
	}
	sts := false
	for name := range c.of(t, "", "GET proxy") {
		sts = sts || strings.HasPrefix(name, "POST 127.0.0.1")
	}
	if !sts {
		t.Error("no span of STS")
	}

	const unsampled = "1af7651916cd43dd8448eb211c80319c"
	get(t, base+"/unsampled", "Traceparent: 00-"+unsampled+"-"+span+"-00")
	if got := parent("/unsampled"); !strings.HasPrefix(got, "00-"+unsampled) || !strings.HasSuffix(got, "-00 ") {
		t.Errorf("an unsampled trace was forwarded as %q", got)
	}
	get(t, base+"/garbage", "Traceparent: 00-xyz-1-01")
	if got := parent("/garbage"); len(got) != 56 || strings.Contains(got, "xyz") {
		t.Errorf("for an invalid traceparent, the upstream got %q", got)
	}

	metrics := get(t, "http://"+g.admin+"/metrics", "Accept: application/openmetrics-text; version=1.0.0").body
	if !strings.Contains(metrics, `# {trace_id="`+trace+`"}`) {
		t.Error("no exemplar has the trace")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.from["service.name"] != "jobgate" || c.from["deployment.environment"] != "test" || c.auth != "Basic hidden-token" {
		t.Errorf("the collector got %v from %q", c.from, c.auth)
	}
	for _, span := range c.all {
		if hex.EncodeToString(span.TraceId) == unsampled {
			t.Errorf("an unsampled trace was exported: %v", span)
		}
	}
}

// TestTracingOff checks that without tracing, a traceparent is forwarded unchanged.
func TestTracingOff(t *testing.T) {
	t.Parallel()
	var got string
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Traceparent") }))
	t.Cleanup(backend.Close)
	g := serve(t, t.TempDir(), []string{"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=" + backend.URL}, `upstream: ["`+backend.URL+`"]`)
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if get(t, "http://"+g.devices+"/", "Traceparent: "+parent); got != parent {
		t.Errorf("the upstream got the traceparent %q, want %q", got, parent)
	}
}

func TestTracingRefused(t *testing.T) {
	t.Parallel()
	for _, x := range [][2]string{
		{"OTEL_TRACES_EXPORTER=jaeger", `OTEL_TRACES_EXPORTER is \"jaeger\", and only otlp and none are known`},
		{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", `only http/protobuf is spoken`},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=localhost:4318", `is not a URL, http(s)://host:port`},
	} {
		folder := t.TempDir()
		_, stderr, code := run(t, folder, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", x[0]}, "serve", "--config", newConfig(t, folder, "upstream: [\"http://127.0.0.1:1\"]"))
		if code == 0 || !strings.Contains(strings.ReplaceAll(stderr, `"`, `\"`), x[1]) {
			t.Errorf("%s: %d %s", x[0], code, stderr)
		}
	}
}

// TestTracingCollectorDown checks that a collector that is down or hangs does not affect requests.
func TestTracingCollectorDown(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(hang) })
	s := newSite(t)
	s.file("a.json", `{}`)
	for _, url := range []string{"http://user:pass-word@127.0.0.1:1", silent.URL} {
		g := s.serve(`routes: [{path: "/{jobId}", document: "file://$DIR/{jobId}.json"}]`, "OTEL_EXPORTER_OTLP_ENDPOINT="+url, "OTEL_BSP_SCHEDULE_DELAY=10", "OTEL_EXPORTER_OTLP_TIMEOUT=200")
		logs.secret("pass-word")
		began := time.Now()
		for range 50 {
			if a := get(t, "http://"+g.devices+"/a"); a.status != http.StatusOK {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("50 requests took %v", took)
		}
		g.Signal(15)
		if code := g.Wait(); code != 0 {
			t.Errorf("exit status %d", code)
		}
	}
}
