package gateway

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/metrics"
	"jobgate/gateway/proxy"
	"jobgate/gateway/reclaim"
	"jobgate/gateway/signing"
	"jobgate/gateway/target"
	"jobgate/presigner"
	"jobgate/presigner/role"
)

// Handler answers the requests of one configuration. It is immutable and safe for
// concurrent use.
type Handler struct {
	auth      Auth
	limits    Limits
	presign   Presign
	router    router
	upstream  *proxy.Proxy // nil: nothing is proxied
	roles     *role.Set
	permits   *signing.Permits
	signing   signing.Renderer
	documents *Documents
	loaded    *reclaim.Watch  // returns memory to the system after many documents were loaded
	sidecar   *sidecar        // nil: off
	jobs      Jobs            // nil: off
	overload  Gate            // nil: off
	codesign  CodeSigning     // nil: no code file is signed
	memo      *presigner.Memo // of URLs in documents of fill routes and the sidecar
	log       *slog.Logger
	refusals  edge.Refusals
	clock     func(*fasthttp.RequestCtx) time.Time
	counters  *metrics.Counters

	unmatched     *edge.Route // requests refused before a route was found
	proxied       *edge.Route // requests that no route matched
	jobsDurations *edge.Route
}

// exchange is the scratch space of one request, pooled.
type exchange struct {
	now       time.Time // the clock, read once per request
	who       identity
	target    target.Target
	vars      variables
	key       []byte // of the template in the cache
	maxAge    []byte // the value of Cache-Control
	forward   proxy.Request
	filler    filler
	jobs      data.Exchange
	render    jobdoc.Context
	durations *edge.Route // of the route that matched
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// Serve answers one request of a device. It is an edge.Handler.
func (h *Handler) Serve(ctx *fasthttp.RequestCtx) *edge.Route {
	x := exchanges.Get().(*exchange)
	x.now, x.who, x.durations = h.clock(ctx), identity{}, h.unmatched
	defer h.finish(x)
	if err := h.serve(ctx, x); err != nil {
		h.refuse(ctx, x, err)
	}
	return x.durations
}

// serve is one request, top to bottom.
func (h *Handler) serve(ctx *fasthttp.RequestCtx, x *exchange) (err *Error) {
	if err := h.admit(); err != nil {
		return err
	}
	if err = h.parse(ctx, x); err != nil {
		return err
	}
	if x.who, err = h.identify(ctx, x); err != nil {
		return err
	}
	if h.jobs != nil && h.jobs.Match(ctx.Method(), &x.jobs) {
		return h.serveJobs(ctx, x)
	}
	r := h.router.match(x)
	if r == nil {
		x.durations = h.proxied
		return h.proxy(ctx, x, nil)
	}
	x.durations = r.durations
	if err = r.pattern.validate(&x.vars); err != nil {
		return err
	}
	if err = h.authorize(x.who, r.thing(x)); err != nil {
		return err
	}
	if r.fill {
		return h.proxy(ctx, x, r)
	}
	if !ctx.IsGet() && !ctx.IsHead() {
		ctx.Response.Header.Set("Allow", "GET, HEAD")
		return errMethod("GET, HEAD")
	}
	d, err := h.find(ctx, x, r)
	if err != nil {
		return err
	}
	return h.answer(ctx, x, r, d)
}

// parse parses the request's target. If devices are authenticated, a path must not be ambiguous: an upstream must not
// read a different thing's name in it than the gateway did.
func (h *Handler) parse(ctx *fasthttp.RequestCtx, x *exchange) *Error {
	x.jobs.Target = &x.target
	err := x.target.Parse(ctx.Request.Header.RequestURI())
	switch {
	case err != nil && string(ctx.Method()) == fasthttp.MethodConnect: // CONNECT's target is host:port
		return errMethod("those that are supported")
	case err == nil && h.auth.Mode != AuthNone:
		err = x.target.Spelling()
	}
	if err != nil {
		return errBadRequest("%v", err)
	}
	return nil
}

// serveJobs hands an operation of the IoT Jobs data plane to the service.
func (h *Handler) serveJobs(ctx *fasthttp.RequestCtx, x *exchange) *Error {
	x.durations = h.jobsDurations
	if err := h.bufferBody(ctx); err != nil {
		return err
	}
	x.jobs.Now, x.jobs.Thing, x.jobs.Authenticated = x.now, x.who.name(), h.auth.Mode != AuthNone
	h.jobs.Serve(ctx, &x.jobs)
	return nil
}

// bufferBody reads a streamed body, up to limits.max_body.
func (h *Handler) bufferBody(ctx *fasthttp.RequestCtx) *Error {
	if !ctx.Request.IsBodyStream() {
		return nil
	}
	body, err := edge.AppendLimited(nil, ctx.RequestBodyStream(), h.limits.MaxBody+1)
	switch {
	case edge.IsTimeout(err):
		return errTimeout()
	case err != nil || edge.CutOff(ctx):
		return errBadRequest("the body ended early")
	case len(body) > h.limits.MaxBody:
		ctx.SetConnectionClose() // the rest is not read
		return errTooLarge("the body", h.limits.MaxBody, "limits.max_body")
	}
	ctx.Request.SetBodyRaw(body)
	return nil
}

// admit rejects the request if limits.max_in_flight are in progress, or if more arrive than the processors can serve.
func (h *Handler) admit() *Error {
	if n := h.counters.InFlight.Add(1); h.limits.MaxInFlight > 0 && n > int64(h.limits.MaxInFlight) {
		h.counters.ShedInFlight.Inc()
		return errUnavailable("the gateway is at its limit of requests in flight", time.Second, nil)
	}
	if h.overload != nil && !h.overload.Admit() {
		h.counters.ShedOverload.Inc()
		return errOverload
	}
	return nil
}

// errOverload is shared by all rejected requests: under overload there are many, and they must be cheap.
var errOverload = errUnavailable("more requests arrive than the gateway can answer", 2*time.Second, nil).Ready()

// finish returns a request's scratch space to the pool, after a panic too.
func (h *Handler) finish(x *exchange) {
	h.counters.InFlight.Add(-1)
	x.render, x.filler = jobdoc.Context{}, filler{}
	x.jobs.Release()
	exchanges.Put(x)
}

// maxUnread is how many bytes of an unused body are read to keep the connection: fasthttp's own limit, beyond which it
// closes the connection.
const maxUnread = 256 << 10

// refuse answers with an error and logs it.
func (h *Handler) refuse(ctx *fasthttp.RequestCtx, x *exchange, e *Error) {
	id := e.Write(ctx)
	if ctx.Request.IsBodyStream() && (e.Status == http.StatusRequestEntityTooLarge || ctx.Request.Header.ContentLength() > maxUnread) {
		edge.LetRead(ctx)
	}
	h.refusals.Refused(ctx, x.now, e, id)
}

// Readiness reports whether the gateway is ready: every role's first attempt has ended
// and at least one role, if there are any, has a session that can sign.
func (h *Handler) Readiness() Readiness {
	r := Readiness{Ready: true}
	usable := false
	for _, s := range h.roles.Status() {
		health := RoleHealth{Name: s.Role, State: s.State.String(), Error: s.LastError}
		if !s.Expires.IsZero() {
			health.Expires = &s.Expires
		}
		r.Roles = append(r.Roles, health)
		r.Ready = r.Ready && s.State != role.Cold
		usable = usable || s.Usable
	}
	r.Ready = r.Ready && (usable || len(r.Roles) == 0)
	return r
}
