package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/target"
)

// ControlConfig is what the control plane needs.
type ControlConfig struct {
	Service  *jobs.Service    // required
	Data     *Data            // required: answers requests scoped to iot-jobs-data
	Verifier *access.Verifier // required
	// TokenKey encrypts the tokens of listings: the store's Secret of the name TokenSecret, so that the gateways of a
	// store take each other's. nil is a random key: tokens end with the process.
	TokenKey   []byte
	Timeout    time.Duration // of an operation; 0: 30 s
	MaxStreams int           // event streams at once; 0: 64
	// StallTimeout ends the event stream of a client that reads nothing; 0: 30 s.
	StallTimeout time.Duration
	Log          *slog.Logger     // nil: discards
	Clock        func() time.Time // nil: time.Now
}

// Control is the IoT Jobs control plane (AWS.md §5) with the data plane beside it: the two share paths, and a request's
// credential scope says which one it means. Every request must be signed (SigV4, in its header). It is safe for
// concurrent use.
type Control struct {
	config  ControlConfig
	service *jobs.Service
	data    *Data
	routes  []controlRoute
	tokens  tokens
	log     *limitedLog
	streams chan struct{} // one token an event stream
	closing chan struct{}
	close   sync.Once
}

// controlRoute is an operation and what does it.
type controlRoute struct {
	*operation
	serve handler
}

// handler does an operation. Its answer, nil for none, is encoded as JSON.
type handler func(c *Control, call *call) (answer any, err error)

// call is one request of the control plane.
type call struct {
	ctx       context.Context
	now       time.Time
	operation *operation
	in        input
	host      string // that the client called
}

// controlExchange is the scratch space of one request of the control listener, pooled.
type controlExchange struct {
	asked target.Target
	data  Exchange // of a request to the data plane
}

var controlExchanges = sync.Pool{New: func() any { return new(controlExchange) }}

func (x *controlExchange) release() {
	x.data.Release()
	controlExchanges.Put(x)
}

// handlers are the operations by name. A test compares them with the model.
func handlers() map[string]handler {
	all := map[string]handler{"DescribeEndpoint": describeEndpoint}
	for _, group := range []map[string]handler{jobHandlers, executionHandlers, templateHandlers, thingHandlers, groupHandlers, tagHandlers} {
		for name, h := range group {
			all[name] = h
		}
	}
	return all
}

// NewControl returns the control plane for c. Close ends its event streams.
func NewControl(c ControlConfig) (*Control, error) {
	if c.Service == nil || c.Data == nil || c.Verifier == nil {
		return nil, errors.New("cannot serve the jobs control plane: Service, Data and Verifier are required")
	}
	m, err := controlModel()
	if err != nil {
		return nil, err
	}
	c.MaxStreams = orDefault(c.MaxStreams, 64)
	c.Timeout = orDefault(c.Timeout, 30*time.Second)
	c.StallTimeout = orDefault(c.StallTimeout, stallTimeout)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	control := &Control{
		config: c, service: c.Service, data: c.Data, tokens: newTokens(c.TokenKey), log: newLimitedLog(c.Log),
		streams: make(chan struct{}, c.MaxStreams), closing: make(chan struct{}),
	}
	control.log.refusals.WarnDenied = true // operators are few, and meant to get in
	serve := handlers()
	for _, op := range m.operations {
		control.routes = append(control.routes, controlRoute{op, serve[op.name]})
	}
	return control, nil
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v > 0 {
		return v
	}
	return otherwise
}

// HTTP is what the control listener does with requests: its owner adds the listener's limits, metrics and logs, and at
// the end calls Close of the Control.
func (c *Control) HTTP() edge.HTTPOptions {
	return edge.HTTPOptions{
		Handler: func(ctx *fasthttp.RequestCtx) *edge.Route {
			c.Handle(ctx)
			return nil
		},
		WriteFault: writeFault,
		Admit:      access.Admit,
	}
}

// writeFault writes what the edge has to say as AWS's control plane would.
func writeFault(ctx *fasthttp.RequestCtx, f *edge.Fault) (requestID string) {
	if f.Status == http.StatusRequestEntityTooLarge {
		f.Code = "RequestEntityTooLarge"
	}
	return f.WriteException(ctx, nil)
}

// Close ends the event streams. It may be called more than once.
func (c *Control) Close() { c.close.Do(func() { close(c.closing) }) }

// Handle answers one request.
func (c *Control) Handle(ctx *fasthttp.RequestCtx) {
	now := c.config.Clock()
	name := ""
	if err := c.serve(ctx, now, &name); err != nil {
		c.log.refused(ctx, now, name, err, err.Write(ctx))
	}
}

// serve is one request, top to bottom: who, what, may they, is it well formed, do it.
func (c *Control) serve(ctx *fasthttp.RequestCtx, now time.Time, name *string) *Exception {
	x := controlExchanges.Get().(*controlExchange)
	defer x.release()
	if err := x.asked.Parse(ctx.Request.Header.RequestURI()); err != nil {
		return invalidRequest("The request cannot be read: %v.", err)
	}
	caller, fault := c.config.Verifier.Verify(ctx, &x.asked, now, access.ServiceControl, access.ServiceData)
	if fault != nil {
		return asException(fault)
	}
	switch {
	case caller.Service == access.ServiceData:
		x.data.Now, x.data.Target, x.data.Authenticated = now, &x.asked, true
		c.data.Match(ctx.Method(), &x.data)
		c.data.serveFor(ctx, &x.data, true, caller)
		return nil
	case string(x.asked.Path()) == StreamPath && ctx.IsGet():
		*name = "Watch"
		return c.watch(ctx, caller)
	}
	route, variables, err := c.route(string(ctx.Method()), &x.asked)
	if err != nil {
		return err
	}
	*name = route.name
	if fault := caller.MayOperate(route.name, route.method); fault != nil {
		return asException(fault)
	}
	var args fasthttp.Args
	args.ParseBytes(x.asked.Query())
	in, err := route.read(variables, &args, ctx.Request.Body())
	if err != nil {
		return err
	}
	timeout, cancel := context.WithTimeout(context.Background(), c.config.Timeout)
	defer cancel()
	answer, failure := route.serve(c, &call{ctx: timeout, now: now, operation: route.operation, in: in, host: string(ctx.Host())})
	if failure != nil {
		return route.exceptionOf(failure)
	}
	if route.method != http.MethodGet {
		c.log.log.Info("jobs: operator's change", "operation", route.name, "access_key", caller.ID(), "path", string(x.asked.Path()))
	}
	return respond(ctx, route.operation, answer)
}

// respond writes an answer that is not an error.
func respond(ctx *fasthttp.RequestCtx, op *operation, answer any) *Exception {
	header := &ctx.Response.Header
	header.Set(edge.HeaderRequestID, uuid.NewString())
	header.SetCanonical(cacheControlKey, noStore)
	header.SetContentTypeBytes(contentType)
	if answer == nil {
		return nil
	}
	body, err := encode(answer)
	if err != nil {
		return op.exceptionOf(err)
	}
	ctx.Response.SetBodyRaw(body)
	return nil
}

// route finds the operation of a method and a path, and the path's variables.
func (c *Control) route(method string, asked *target.Target) (*controlRoute, map[string]string, *Exception) {
	if errors.Is(asked.Spelling(), target.ErrEscape) {
		return nil, nil, invalidRequest("The path is not percent-encoded.")
	}
	segments := make([]string, len(asked.Segments()))
	for i, s := range asked.Segments() {
		segments[i] = strings.ToValidUTF8(string(s), "?")
	}
	i := slices.IndexFunc(c.routes, func(r controlRoute) bool { return r.matches(method, segments) })
	if i < 0 {
		return nil, nil, exception(http.StatusNotFound, "UnknownOperation", "%s", unknownOperation(method, segments))
	}
	return &c.routes[i], c.routes[i].variables(segments), nil
}

// unknownOperation says which of AWS's operations is not there.
func unknownOperation(method string, segments []string) string {
	if m, err := absentModel(); err == nil {
		for _, op := range m.operations {
			if op.matches(method, segments) {
				return "The operation " + op.name + " is not available: this gateway has those of IoT Jobs, and of things and groups what they need."
			}
		}
	}
	return "There is no operation " + method + " of that path."
}

// matches says whether op is that of a method and a path's segments.
func (op *operation) matches(method string, segments []string) bool {
	if op.method != method || len(op.segments) != len(segments) {
		return false
	}
	for i, s := range op.segments {
		if s[0] != '{' && s != segments[i] || segments[i] == "" {
			return false
		}
	}
	return true
}

// variables returns the path's variables by name.
func (op *operation) variables(segments []string) map[string]string {
	v := make(map[string]string)
	for i, s := range op.segments {
		if s[0] == '{' {
			v[strings.Trim(s, "{}")] = segments[i]
		}
	}
	return v
}
