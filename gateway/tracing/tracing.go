// Package tracing creates OpenTelemetry spans of requests, and propagates them as W3C Trace Context: to upstreams, to the
// sources of documents, to AWS and to the jobs store. It uses only OpenTelemetry's API; the TracerProvider decides about
// sampling and export.
//
// Without a Tracer on its listener a request has no span; then nothing here has any effect or allocates.
package tracing

import (
	"context"
	"net/http"

	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// scope names the instrumentation.
const scope = "jobgate"

// key is the context key of the span.
type key struct{}

// With returns a copy of ctx whose span is s; nil: ctx itself.
func With(ctx context.Context, s trace.Span) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, key{}, s)
}

// Of returns the span of ctx, nil if it has none. A span may be used after its request has ended.
func Of(ctx context.Context) trace.Span {
	s, _ := ctx.Value(key{}).(trace.Span)
	return s
}

// Detached returns a context with ctx's span that does not end with ctx.
func Detached(ctx context.Context) context.Context { return With(context.Background(), Of(ctx)) }

// Span is a step of a request. A nil Span does nothing.
type Span struct{ span trace.Span }

// Start starts a child of ctx's span; without one it returns ctx and nil. kind is trace.SpanKindClient for a call to another
// program.
func Start(ctx context.Context, name string, kind trace.SpanKind, attributes ...attribute.KeyValue) (context.Context, *Span) {
	parent := Of(ctx)
	if parent == nil {
		return ctx, nil
	}
	_, s := parent.TracerProvider().Tracer(scope).Start(trace.ContextWithSpan(ctx, parent), name,
		trace.WithSpanKind(kind), trace.WithAttributes(attributes...))
	return With(ctx, s), &Span{s}
}

// Set adds attributes.
func (s *Span) Set(attributes ...attribute.KeyValue) {
	if s != nil {
		s.span.SetAttributes(attributes...)
	}
}

// End ends the step. err is why it failed, or nil. Its text must hold no secret.
func (s *Span) End(err error) {
	if s == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// Context is a W3C Trace Context (https://www.w3.org/TR/trace-context/): the values of two headers, or of two user
// properties of a message of MQTT 5.
type Context struct {
	Parent string // traceparent; "": there is no span
	State  string // tracestate; "": none
}

// ContextOf returns the trace context to send with a call made for ctx's span.
func ContextOf(ctx context.Context) Context {
	s := Of(ctx)
	if s == nil {
		return Context{}
	}
	var c Context
	w3c.Inject(trace.ContextWithSpan(context.Background(), s), &c)
	return c
}

// The names of a Context's two values.
const (
	Parent = "traceparent"
	State  = "tracestate"
)

// The names of the headers, as fasthttp spells them.
const (
	HeaderParent = "Traceparent"
	HeaderState  = "Tracestate"
)

var w3c propagation.TraceContext

// Get implements propagation.TextMapCarrier.
func (c *Context) Get(name string) string {
	switch name {
	case Parent:
		return c.Parent
	case State:
		return c.State
	}
	return ""
}

// Keys implements propagation.TextMapCarrier.
func (*Context) Keys() []string { return nil }

// Set implements propagation.TextMapCarrier.
func (c *Context) Set(name, value string) {
	switch name {
	case Parent:
		c.Parent = value
	case State:
		c.State = value
	}
}

// AddTo sets the headers of a request that is about to be sent.
func (c Context) AddTo(h http.Header) {
	if c.Parent != "" {
		h.Set(HeaderParent, c.Parent)
	}
	if c.State != "" {
		h.Set(HeaderState, c.State)
	}
}

// incoming is the header of a request that arrived.
type incoming struct{ h *fasthttp.RequestHeader }

func (i incoming) Get(name string) string { return string(i.h.Peek(name)) }
func (incoming) Set(string, string)       {}
func (incoming) Keys() []string           { return nil }
