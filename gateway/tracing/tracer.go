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

// Tracer makes a span of each request. It is an edge.Spans, and safe for concurrent use.
type Tracer struct{ tracer trace.Tracer }

// New returns a Tracer whose spans go to p.
func New(p trace.TracerProvider) *Tracer { return &Tracer{p.Tracer(scope)} }

// Begin begins the span of ctx's request, below that of its traceparent header if it has a valid one. Attributes are
// those of OpenTelemetry's semantic conventions for HTTP servers; a query, which may hold a signature, is none of them.
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

// End ends the span that Begin began, under the name of the route that answered. It returns the trace's id if the trace
// is kept, "" if it is not.
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

// Message begins the span of a message that asks for something, below the sender's if that is valid. It returns a context
// with it, for the steps of what is asked for.
func (t *Tracer) Message(sender Context, name string, at time.Time, attributes ...attribute.KeyValue) (context.Context, *Span) {
	_, s := t.tracer.Start(w3c.Extract(context.Background(), &sender), name,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(at), trace.WithAttributes(attributes...))
	return With(context.Background(), s), &Span{s}
}

// Doer sends HTTP requests, as *http.Client and the AWS SDK's clients do.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Client returns a Doer that makes a span of each request of next's, below that of the request's context if there is
// one, and sends its context along.
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

// cause is what went wrong, without the URL that net/http puts before it.
func cause(err error) string {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err.Error()
}
