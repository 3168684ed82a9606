package tracing

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/valyala/fasthttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func newTracer() (*Tracer, *tracetest.InMemoryExporter) {
	kept := tracetest.NewInMemoryExporter()
	return New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))), kept
}

func request(uri string, headers ...string) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod("GET")
	ctx.Request.SetRequestURI(uri)
	for i := 0; i < len(headers); i += 2 {
		ctx.Request.Header.Set(headers[i], headers[i+1])
	}
	return ctx
}

func TestRequest(t *testing.T) {
	tracer, kept := newTracer()
	ctx := request("/things/a?X-Amz-Signature=secret", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate", "v=1")
	tracer.Begin(ctx)
	step, span := Start(ctx, "load", trace.SpanKindClient)
	sent := ContextOf(step)
	span.End(errors.New("not there"))
	ctx.SetStatusCode(http.StatusServiceUnavailable)
	if id := tracer.End(ctx, "/things/{thingName}"); id != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the trace is %q", id)
	}
	if Of(ctx) != nil {
		t.Error("a request that has ended has a span")
	}
	spans := kept.GetSpans()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	load, server := spans[0], spans[1]
	if load.Parent.SpanID() != server.SpanContext.SpanID() || load.Status.Description != "not there" {
		t.Errorf("load: %+v", load)
	}
	if sent.Parent != "00-0af7651916cd43dd8448eb211c80319c-"+load.SpanContext.SpanID().String()+"-01" || sent.State != "v=1" {
		t.Errorf("sent %+v", sent)
	}
	if server.Name != "GET /things/{thingName}" || server.Parent.SpanID().String() != "b7ad6b7169203331" || server.SpanKind != trace.SpanKindServer {
		t.Errorf("server: %+v", server)
	}
	for _, a := range server.Attributes {
		if a.Key == "url.path" && a.Value.AsString() != "/things/a" {
			t.Errorf("url.path is %q", a.Value.AsString())
		}
	}
}

// Without a span nothing is done, and nothing is allocated.
func TestNoSpan(t *testing.T) {
	ctx := request("/")
	var base context.Context = ctx
	n := testing.AllocsPerRun(100, func() {
		step, span := Start(base, "load", trace.SpanKindClient)
		if step != base || span != nil || ContextOf(step) != (Context{}) || Detached(base) != context.Background() {
			t.Fatal("there is a span")
		}
		span.End(nil)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type doer func(*http.Request) (*http.Response, error)

func (f doer) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestClient(t *testing.T) {
	tracer, kept := newTracer()
	var parent string
	answer, failure := &http.Response{StatusCode: http.StatusForbidden}, error(nil)
	c := tracer.Client(doer(func(r *http.Request) (*http.Response, error) {
		parent = r.Header.Get(HeaderParent)
		return answer, failure
	}))
	r, _ := http.NewRequest(http.MethodPost, "https://sts.example/?token=secret", nil)
	if res, err := c.Do(r); res != answer || err != nil {
		t.Fatal(res, err)
	}
	failure = errors.New("connection refused")
	if _, err := c.Do(r); !errors.Is(err, failure) {
		t.Fatal(err)
	}
	spans := kept.GetSpans()
	if len(spans) != 2 || spans[0].Name != "POST sts.example" || spans[1].Status.Description != "connection refused" {
		t.Fatalf("spans: %+v", spans)
	}
	if want := "00-" + spans[1].SpanContext.TraceID().String() + "-" + spans[1].SpanContext.SpanID().String() + "-01"; parent != want {
		t.Errorf("sent %q, want %q", parent, want)
	}
}

func BenchmarkRequest(b *testing.B) {
	for name, sampler := range map[string]sdktrace.Sampler{"kept": sdktrace.AlwaysSample(), "not kept": sdktrace.NeverSample()} {
		b.Run(name, func(b *testing.B) {
			tracer := New(sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)))
			ctx := request("/things/a")
			b.ReportAllocs()
			for b.Loop() {
				tracer.Begin(ctx)
				tracer.End(ctx, "route")
			}
		})
	}
}
