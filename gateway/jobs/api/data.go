package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/documents"
	"jobgate/gateway/jobs/wire"
	"jobgate/gateway/target"
)

// DataService is what the data plane needs of the IoT Jobs service; *jobs.Service has it.
type DataService interface {
	GetPending(ctx context.Context, thing string, buf []jobs.Execution) (jobs.PendingExecutions, error)
	Describe(ctx context.Context, r jobs.DescribeExecutionRequest) (d jobs.Described, found bool, err error)
	StartNext(ctx context.Context, now time.Time, r jobs.StartNextRequest) (d jobs.Described, found bool, err error)
	Update(ctx context.Context, now time.Time, r jobs.UpdateExecutionRequest) (jobs.Described, error)
}

// DataConfig is what the data plane needs.
type DataConfig struct {
	Service   DataService         // required
	Documents *documents.Renderer // required
	Log       *slog.Logger        // nil: discards
	Timeout   time.Duration       // how long a request may wait for a cold role or the store; 0: 10 s
}

// Data is the IoT Jobs data plane over HTTP (AWS.md §4). It is safe for concurrent use.
type Data struct {
	service   DataService
	documents *documents.Renderer
	model     map[dataOperation]*operation
	log       *limitedLog
	timeout   time.Duration
}

// NewData returns the data plane for c.
func NewData(c DataConfig) (*Data, error) {
	m, err := dataModel()
	if err != nil {
		return nil, err
	}
	if c.Service == nil || c.Documents == nil {
		return nil, errors.New("cannot serve the jobs data plane: Service and Documents are required")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	d := &Data{
		service: c.Service, documents: c.Documents, model: map[dataOperation]*operation{}, log: newLimitedLog(c.Log), timeout: c.Timeout,
	}
	for i, name := range dataOperationNames {
		for _, op := range m.operations {
			if op.name == name {
				d.model[dataOperation(i)] = op
			}
		}
	}
	return d, nil
}

// Exchange is one request of a device, and its scratch space. The listener that serves the request owns it, and keeps it
// for the requests that follow; its zero value is ready.
type Exchange struct {
	Now    time.Time      // the request's one reading of the clock
	Target *target.Target // the request's, parsed
	// Authenticated says that the device is proven to be Thing, or, where Thing is nil, that access.Verifier.Identify has found
	// out who signed the request. Else the path is believed.
	Authenticated bool
	Thing         []byte

	operation  dataOperation
	thing, job []byte // of the path, decoded
	query      fasthttp.Args
	pending    []jobs.Execution
	document   []byte // rendered, in an answer that is made up after the store has agreed
}

// Match reports whether method and x's Target are an operation of the data plane, and keeps in x which one. It allocates
// nothing.
func (d *Data) Match(method []byte, x *Exchange) bool {
	return x.match(method) != noDataOperation
}

// Serve answers the operation that x matched.
func (d *Data) Serve(ctx *fasthttp.RequestCtx, x *Exchange) {
	signed := x.Authenticated && x.Thing == nil
	var caller *access.Caller
	if signed {
		caller = access.CallerOf(ctx)
	}
	d.serveFor(ctx, x, signed, caller)
}

// nameRequest gives an answer to a signed request, which is an SDK's, the request id that its caller is shown. Devices that sign
// nothing get one with errors only.
func nameRequest(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(edge.HeaderRequestID, uuid.NewString())
}

// serveFor answers a request that caller has signed, or, if it is not signed, that comes from whom x says.
func (d *Data) serveFor(ctx *fasthttp.RequestCtx, x *Exchange, signed bool, caller *access.Caller) {
	err := x.validate()
	if err == nil {
		err = x.authorize(signed, caller)
	}
	if err == nil {
		err = d.serve(ctx, x)
	}
	if err != nil {
		d.log.refused(ctx, x.Now, dataOperationNames[x.operation], err, err.Write(ctx))
		return
	}
	ctx.Response.Header.SetContentTypeBytes(contentType)
	ctx.Response.Header.SetCanonical(cacheControlKey, noStore)
	if signed {
		nameRequest(ctx)
	}
}

// authorize says whether who asks may do so for x's thing.
func (x *Exchange) authorize(signed bool, caller *access.Caller) *Exception {
	switch {
	case signed:
		return asException(caller.MayReport(access.Report{
			Operation: dataOperationNames[x.operation], Thing: x.thing, Changes: x.operation == startNext || x.operation == update,
		}))
	case !x.Authenticated || len(x.Thing) > 0 && bytes.Equal(x.Thing, x.thing):
		return nil
	}
	return asException(access.OtherThing())
}

// maxKept bounds the buffer that a pooled exchange keeps, in bytes.
const maxKept = 1 << 20

// Release lets go of what the request left in x, which is then ready for another.
func (x *Exchange) Release() {
	if x.operation == noDataOperation {
		return
	}
	clear(x.pending)
	x.operation, x.Thing, x.thing, x.job = noDataOperation, nil, nil, nil
	if cap(x.document) > maxKept {
		x.document = nil
	}
}

// validate checks the names of the path, and takes the query apart.
func (x *Exchange) validate() *Exception {
	x.query.ParseBytes(x.Target.Query())
	switch {
	case x.operation == noDataOperation:
		return exception(http.StatusNotFound, "UnknownOperation", "There is no such operation.")
	case errors.Is(x.Target.Spelling(), target.ErrEscape):
		return invalidRequest("The path is not percent-encoded.")
	}
	var f faults
	if !wire.IsName(x.thing, wire.MaxThingName, true) {
		f.list = append(f.list, nameFault("thingName", x.thing, "[a-zA-Z0-9:_-]{1,128}"))
	}
	isNext := bytes.Equal(x.job, next) && x.operation != update
	if x.operation != getPending && !isNext && !wire.IsName(x.job, wire.MaxJobID, false) {
		f.list = append(f.list, nameFault("jobId", x.job, "[a-zA-Z0-9_-]{1,64}"))
	}
	return f.exception()
}

func nameFault(member string, value []byte, pattern string) string {
	return "Value " + shown(string(bytes.ToValidUTF8(value, []byte("?")))) + " at '" + member +
		"' failed to satisfy constraint: Member must satisfy regular expression pattern: " + pattern
}

// serve does the operation and leaves its answer in the response.
func (d *Data) serve(ctx *fasthttp.RequestCtx, x *Exchange) *Exception {
	var err error
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
		return d.model[x.operation].exceptionOf(err)
	}
	return nil
}
