package tracing

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Tracer creates a span for each request. It implements edge.Spans and is safe for concurrent use.
type Tracer struct{ tracer trace.Tracer }

// New returns a Tracer whose spans go to p.
func New(p trace.TracerProvider) *Tracer { return &Tracer{p.Tracer(scope)} }

// Begin starts the span of ctx's request, as a child of its traceparent header if that is valid. Attributes follow
// OpenTelemetry's semantic conventions for HTTP servers, without the query, which may hold a signature.
func (t *Tracer) Begin(ctx *fasthttp.RequestCtx) {
	h := &ctx.Request.Header
	path, _, _ := bytes.Cut(h.RequestURI(), []byte("?"))
	_, s := t.tracer.Start(w3c.Extract(context.Background(), incoming{h}), string(h.Method()),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(ctx.Time()), trace.WithAttributes(
			attribute.String("http.request.method", string(h.Method())),
			attribute.String("url.path", string(path)),
			attribute.String("url.scheme", scheme(ctx)),
			attribute.String("server.address", string(h.Host())),
			attribute.String("user_agent.original", string(h.UserAgent())),
			attribute.String("network.peer.address", ctx.RemoteIP().String()),
		))
	ctx.SetUserValue(key{}, s)
}

func scheme(ctx *fasthttp.RequestCtx) string {
	if ctx.IsTLS() {
		return "https"
	}
	return "http"
}

// End ends Begin's span, named after the route that answered. It returns the trace's id if the trace is sampled, else "".
func (t *Tracer) End(ctx *fasthttp.RequestCtx, route string) string {
	s := Of(ctx)
	if s == nil {
		return ""
	}
	ctx.RemoveUserValue(key{})
	if s.IsRecording() {
		status := ctx.Response.StatusCode()
		s.SetName(string(ctx.Method()) + " " + route)
		s.SetAttributes(attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			s.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
			s.SetStatus(codes.Error, "")
		}
	}
	s.End()
	if c := s.SpanContext(); c.IsSampled() {
		return c.TraceID().String()
	}
	return ""
}

// Message starts the span of a request message, as a child of the sender's span if that is valid. It returns a context with
// the span.
func (t *Tracer) Message(sender Context, name string, at time.Time, attributes ...attribute.KeyValue) (context.Context, *Span) {
	_, s := t.tracer.Start(w3c.Extract(context.Background(), &sender), name,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at), trace.WithAttributes(attributes...))
	return With(context.Background(), s), &Span{s}
}

// Doer sends HTTP requests, as *http.Client and the AWS SDK's clients do.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client returns a Doer that starts a span for each request through next, as a child of the span in the request's context if
// there is one, and propagates it.
func (t *Tracer) Client(next Doer) Doer { return client{t, next} }

type client struct {
	t    *Tracer
	next Doer
}

// Do implements Doer.
func (c client) Do(r *http.Request) (*http.Response, error) {
	parent := context.Background()
	if s := Of(r.Context()); s != nil {
		parent = trace.ContextWithSpan(parent, s)
	}
	_, s := c.t.tracer.Start(parent, r.Method+" "+r.URL.Host, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", r.Method),
		attribute.String("server.address", r.URL.Hostname()),
		attribute.String("url.path", r.URL.Path),
	))
	defer s.End()
	ContextOf(With(r.Context(), s)).AddTo(r.Header)
	res, err := c.next.Do(r)
	switch {
	case err != nil:
		s.SetStatus(codes.Error, cause(err))
	case res.StatusCode >= http.StatusBadRequest:
		s.SetStatus(codes.Error, "")
		fallthrough
	default:
		s.SetAttributes(attribute.Int("http.response.status_code", res.StatusCode))
	}
	return res, err
}

// cause returns an error's cause, without the URL that net/http adds.
func cause(err error) string {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err.Error()
}
