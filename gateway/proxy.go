package gateway

import (
	"github.com/valyala/fasthttp"
	"go.opentelemetry.io/otel/trace"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/proxy"
	"jobgate/gateway/tracing"
)

// newProxy returns the reverse proxy to c's upstreams, nil if there are none.
func (h *Handler) newProxy(c *Config) (*proxy.Proxy, error) {
	if len(c.Upstream) == 0 {
		return nil, nil
	}
	return proxy.New(proxy.Config{
		Upstreams: c.Upstream, IdentityHeader: c.Auth.Header, Unfilled: h.counters.CountUnfilled,
		Limits: proxy.Limits{
			UpstreamTimeout: c.Limits.UpstreamTimeout, ReadTimeout: c.Limits.ReadTimeout, MaxBody: c.Limits.MaxBody,
			MaxDocument: c.Limits.MaxDocument, MaxHeld: c.Limits.MaxRendered,
		},
	})
}

// proxy forwards the request to an upstream and returns its answer, filled if r is not nil.
func (h *Handler) proxy(ctx *fasthttp.RequestCtx, x *exchange, r *route) *Error {
	if h.upstream == nil {
		return errNotFound(nil)
	}
	x.forward = proxy.Request{
		Now: x.now, Target: x.target.Origin(), Identity: x.who.appendName(x.forward.Identity[:0]),
		Trusted: len(h.auth.TrustedProxies) > 0 && h.trusted(ctx),
	}
	if r != nil {
		x.filler = filler{h, ctx, x, r}
		x.forward.Fill, x.forward.PassUnfilled = &x.filler, r.passUnfilled
	}
	step, span := tracing.Start(ctx, "upstream", trace.SpanKindClient)
	if span == nil {
		return h.upstream.Serve(ctx, &x.forward)
	}
	own := tracing.ContextOf(step)
	x.forward.TraceParent, x.forward.TraceState = own.Parent, own.State
	f := h.upstream.Serve(ctx, &x.forward)
	if f != nil {
		span.End(f)
	} else {
		span.End(nil)
	}
	return f
}

// filler fills the answer to one request of a fill route.
type filler struct {
	h   *Handler
	ctx *fasthttp.RequestCtx
	x   *exchange
	r   *route
}

// Fill implements proxy.Filler.
func (f *filler) Fill(dst, document []byte) ([]byte, *Error) {
	o := f.h.order(f.x, f.r)
	if err := f.h.signOnce(f.ctx, f.x, &o); err != nil {
		return dst, err
	}
	body, err := jobdoc.Fill(dst, document, &f.r.options, &f.x.render)
	if err != nil {
		return body, documentError(err)
	}
	f.h.signing.CountFresh(&f.x.render)
	return body, nil
}
