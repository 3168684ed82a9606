// Package data is the IoT Jobs data plane over HTTP (AWS.md §4): the four operations of devices.
//
//	Match (match.go) ─► Serve: names, access ──► operations.go ─► jobs.Service ─► package wire, append style
//	                                              └─ jobDocument: ../../documents, one rendering per quantum
package data

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/jobs/api/model"
	"jobgate/gateway/jobs/documents"
	"jobgate/gateway/jobs/wire"
	"jobgate/gateway/target"
	"jobgate/gateway/tracing"
)

// Service is the part of the IoT Jobs service that the data plane needs; operations.Service implements it.
type Service interface {
	GetPending(ctx context.Context, thing string, buf []jobs.Execution) (jobs.PendingExecutions, error)
	Describe(ctx context.Context, r jobs.DescribeExecutionRequest) (d jobs.Described, found bool, err error)
	StartNext(ctx context.Context, now time.Time, r jobs.StartNextRequest) (d jobs.Described, found bool, err error)
	Update(ctx context.Context, now time.Time, r jobs.UpdateExecutionRequest) (jobs.Described, error)
}

// Config configures the data plane.
type Config struct {
	Service   Service             // required
	Documents *documents.Renderer // required
	Log       *slog.Logger        // nil: discards
	Timeout   time.Duration       // how long a request may wait for a cold role or the store; 0: 10 s
}

// Plane is the IoT Jobs data plane over HTTP (AWS.md §4). It is safe for concurrent use.
type Plane struct {
	service   Service
	documents *documents.Renderer
	model     map[operation]*model.Operation
	log       *exception.Log
	timeout   time.Duration
}

// New returns the data plane for c.
func New(c Config) (*Plane, error) {
	m, err := model.Data()
	if err != nil {
		return nil, err
	}
	if c.Service == nil || c.Documents == nil {
		return nil, errors.New("cannot serve the jobs data plane: Service and Documents are required")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	d := &Plane{
		service: c.Service, documents: c.Documents, model: map[operation]*model.Operation{}, log: exception.NewLog(c.Log), timeout: c.Timeout,
	}
	for i, name := range names {
		for _, op := range m.Operations {
			if op.Name == name {
				d.model[operation(i)] = op
			}
		}
	}
	return d, nil
}

// Exchange is one request of a device, and its scratch space. The listener that serves the request owns and reuses it. The
// zero value is ready for use.
type Exchange struct {
	Now    time.Time      // the clock, read once per request
	Target *target.Target // the request's, parsed
	// Authenticated says that the device is proven to be Thing or, if Thing is nil, that access.Verifier.Identify has verified
	// who signed the request. Otherwise the path is trusted.
	Authenticated bool
	Thing         []byte

	ctx        context.Context // with the request's span; not canceled with the connection
	operation  operation
	thing, job []byte // of the path, decoded
	query      fasthttp.Args
	pending    []jobs.Execution
	document   []byte // rendered before the store's change, for the answer
}

// Match reports whether method and x's Target are an operation of the data plane, and records it in x. It does not
// allocate.
func (d *Plane) Match(method []byte, x *Exchange) bool {
	return x.match(method) != none
}

// Serve answers the operation that x matched.
func (d *Plane) Serve(ctx *fasthttp.RequestCtx, x *Exchange) {
	signed := x.Authenticated && x.Thing == nil
	var caller *access.Caller
	if signed {
		caller = access.CallerOf(ctx)
	}
	d.serveFor(ctx, x, signed, caller)
}

// ServeFor answers the operation that x matched for caller, who has signed the request.
func (d *Plane) ServeFor(ctx *fasthttp.RequestCtx, x *Exchange, caller *access.Caller) {
	d.serveFor(ctx, x, true, caller)
}

// nameRequest sets the request id of an answer to a signed request, because SDKs show it. Devices that do not sign get one
// with errors only.
func nameRequest(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(edge.HeaderRequestID, edge.NewRequestID())
}

// serveFor answers a request signed by caller or, if it is not signed, from the device in x.
func (d *Plane) serveFor(ctx *fasthttp.RequestCtx, x *Exchange, signed bool, caller *access.Caller) {
	err := x.validate()
	if err == nil {
		err = x.authorize(signed, caller)
	}
	if err == nil {
		err = d.serve(ctx, x)
	}
	if err != nil {
		d.log.Refused(ctx, x.Now, names[x.operation], err, err.Write(ctx))
		return
	}
	ctx.Response.Header.SetContentTypeBytes(contentType)
	ctx.Response.Header.SetCanonical(cacheControlKey, noStore)
	if signed {
		nameRequest(ctx)
	}
}

// authorize returns an exception if the caller may not make requests for x's thing.
func (x *Exchange) authorize(signed bool, caller *access.Caller) *exception.Exception {
	switch {
	case signed:
		return exception.From(caller.MayReport(access.Report{
			Operation: names[x.operation], Thing: x.thing, Changes: x.operation == startNext || x.operation == update,
		}))
	case !x.Authenticated || len(x.Thing) > 0 && bytes.Equal(x.Thing, x.thing):
		return nil
	}
	return exception.From(access.OtherThing())
}

var (
	contentType     = []byte("application/json")
	cacheControlKey = []byte("Cache-Control")
	noStore         = []byte("no-store")
)

// maxKept bounds the buffer that a pooled exchange keeps, in bytes.
const maxKept = 1 << 20

// Release drops the request's data in x, which can then be reused.
func (x *Exchange) Release() {
	if x.operation == none {
		return
	}
	clear(x.pending)
	x.operation, x.Thing, x.thing, x.job, x.ctx = none, nil, nil, nil, nil
	if cap(x.document) > maxKept {
		x.document = nil
	}
}

// validate checks the names in the path, and parses the query.
func (x *Exchange) validate() *exception.Exception {
	x.query.ParseBytes(x.Target.Query())
	switch {
	case x.operation == none:
		return exception.New(http.StatusNotFound, "UnknownOperation", "There is no such operation.")
	case errors.Is(x.Target.Spelling(), target.ErrEscape):
		return exception.InvalidRequest("The path is not percent-encoded.")
	}
	var f model.Faults
	if !wire.IsName(x.thing, wire.MaxThingName, true) {
		f.List = append(f.List, nameFault("thingName", x.thing, "[a-zA-Z0-9:_-]{1,128}"))
	}
	isNext := bytes.Equal(x.job, next) && x.operation != update
	if x.operation != getPending && !isNext && !wire.IsName(x.job, wire.MaxJobID, false) {
		f.List = append(f.List, nameFault("jobId", x.job, "[a-zA-Z0-9_-]{1,64}"))
	}
	return f.Exception()
}

func nameFault(member string, value []byte, pattern string) string {
	return "Value " + model.Shown(string(bytes.ToValidUTF8(value, []byte("?")))) + " at '" + member +
		"' failed to satisfy constraint: Member must satisfy regular expression pattern: " + pattern
}

// serve executes the operation and writes its answer to the response.
func (d *Plane) serve(ctx *fasthttp.RequestCtx, x *Exchange) *exception.Exception {
	var err error
	x.ctx = tracing.Detached(ctx)
	body := ctx.Response.SwapBody(nil)[:0]
	switch x.operation {
	case getPending:
		body, err = d.getPending(x, body)
	case describe:
		body, err = d.describe(x, body)
	case startNext:
		body, err = d.startNext(ctx, x, body)
	case update:
		body, err = d.update(ctx, x, body)
	}
	ctx.Response.SwapBody(body)
	if err != nil {
		return exception.Of(d.model[x.operation].Exceptions, err)
	}
	return nil
}
