package api

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
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
	Service DataService   // required
	Signing Signing       // nil: no document may hold a placeholder for S3
	Quantum time.Duration // presign.quantum: whole seconds; 0 is one
	Count   func(Signed)  // of URLs handed out, for metrics; nil: none
	Log     *slog.Logger  // nil: discards
	Timeout time.Duration // how long a request may wait for a cold role or the store; 0: 10 s
}

// Data is the IoT Jobs data plane over HTTP (AWS.md §4). It is safe for concurrent use.
type Data struct {
	service   DataService
	documents documents
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
	if c.Service == nil {
		return nil, errors.New("cannot serve the jobs data plane: no service")
	}
	if c.Quantum == 0 {
		c.Quantum = time.Second
	}
	if c.Signing == nil {
		c.Signing = nobody{}
	}
	if c.Count == nil {
		c.Count = func(Signed) {}
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	d := &Data{
		service: c.Service, model: map[dataOperation]*operation{}, log: newLimitedLog(c.Log), timeout: c.Timeout,
		documents: documents{signing: c.Signing, timeout: c.Timeout, quantum: max(1, int64(c.Quantum/time.Second)), count: c.Count, seed: maphash.MakeSeed()},
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

// nobody signs for no role.
type nobody struct{}

func (nobody) Skew() time.Duration { return 0 }

func (nobody) Grant(context.Context, string, time.Duration, time.Time) (Grant, error) {
	return Grant{}, errors.New("no role may sign for jobs")
}

// exchange is the scratch space of one request, pooled.
type exchange struct {
	target   dataTarget // its segments decoded
	now      time.Time
	decoded  []byte
	query    fasthttp.Args
	pending  []jobs.Execution
	document []byte // rendered, in an answer that is made up after the store has agreed
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// Matches reports whether method and path, as sent and without a query, are an operation of the data plane. It
// allocates nothing.
func (d *Data) Matches(method, path []byte) bool {
	return parseDataPath(method, path).operation != noDataOperation
}

// Serve answers an operation that Matches. authenticated says that the device is proven to be thing, or, where thing is
// nil, that Verifier.Identify has found out who signed the request; else the path is believed. now is the request's one
// reading of the clock.
func (d *Data) Serve(ctx *fasthttp.RequestCtx, now time.Time, thing []byte, authenticated bool) {
	answered := d.answer(ctx, now, func(x *exchange) *Exception {
		switch {
		case !authenticated || len(thing) > 0 && bytes.Equal(thing, x.target.thing):
			return nil
		case thing == nil:
			return callerOf(ctx).mayReport(x)
		}
		return errOtherThing
	})
	if answered && authenticated && thing == nil {
		nameRequest(ctx)
	}
}

// nameRequest gives an answer to a signed request, which is an SDK's, the request id that its caller is shown. Devices that sign
// nothing get one with errors only.
func nameRequest(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set(edge.HeaderRequestID, uuid.NewString())
}

var errOtherThing = exception(http.StatusForbidden, "Forbidden", "A device may ask for its own thing name only.")

// serveFor answers a request that caller has signed.
func (d *Data) serveFor(ctx *fasthttp.RequestCtx, now time.Time, caller *Caller) {
	if d.answer(ctx, now, caller.mayReport) {
		nameRequest(ctx)
	}
}

// answer is one request, top to bottom; false if it was refused.
func (d *Data) answer(ctx *fasthttp.RequestCtx, now time.Time, authorize func(*exchange) *Exception) bool {
	x := exchanges.Get().(*exchange)
	defer x.release()
	x.now = now
	err := x.parse(ctx)
	if err == nil {
		err = authorize(x)
	}
	if err == nil {
		err = d.serve(ctx, x)
	}
	if err != nil {
		d.log.refused(ctx, now, dataOperationNames[x.target.operation], err, err.Write(ctx))
		return false
	}
	ctx.Response.Header.SetContentTypeBytes(contentType)
	ctx.Response.Header.SetCanonical(cacheControlKey, noStore)
	return true
}

// maxKept bounds the buffer that a pooled exchange keeps, in bytes.
const maxKept = 1 << 20

// release gives x back, without what it refers to.
func (x *exchange) release() {
	clear(x.pending)
	x.target = dataTarget{}
	if cap(x.document) > maxKept {
		x.document = nil
	}
	exchanges.Put(x)
}

// parse takes the path and the query apart and checks the names.
func (x *exchange) parse(ctx *fasthttp.RequestCtx) *Exception {
	path, query, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte("?"))
	x.query.ParseBytes(query)
	t := parseDataPath(ctx.Method(), path)
	if t.operation == noDataOperation {
		return exception(http.StatusNotFound, "UnknownOperation", "There is no such operation.")
	}
	// Fast path: nothing is encoded.
	if bytes.IndexByte(path, '%') >= 0 {
		var ok1, ok2 bool
		x.decoded, ok1 = appendDecoded(x.decoded[:0], t.thing)
		n := len(x.decoded)
		x.decoded, ok2 = appendDecoded(x.decoded, t.job)
		if !ok1 || !ok2 {
			return invalidRequest("The path is not percent-encoded.")
		}
		t.thing, t.job = x.decoded[:n], x.decoded[n:]
	}
	x.target = t
	var f faults
	if !isName(t.thing, maxThingName, true) {
		f.list = append(f.list, nameFault("thingName", t.thing, "[a-zA-Z0-9:_-]{1,128}"))
	}
	isNext := bytes.Equal(t.job, next) && t.operation != update
	if t.operation != getPending && !isNext && !isName(t.job, maxJobID, false) {
		f.list = append(f.list, nameFault("jobId", t.job, "[a-zA-Z0-9_-]{1,64}"))
	}
	return f.exception()
}

func nameFault(member string, value []byte, pattern string) string {
	return "Value " + shown(string(bytes.ToValidUTF8(value, []byte("?")))) + " at '" + member +
		"' failed to satisfy constraint: Member must satisfy regular expression pattern: " + pattern
}

// serve does the operation and leaves its answer in the response.
func (d *Data) serve(ctx *fasthttp.RequestCtx, x *exchange) *Exception {
	var err error
	body := ctx.Response.SwapBody(nil)[:0]
	switch x.target.operation {
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
		return d.model[x.target.operation].exceptionOf(err)
	}
	return nil
}

// renderingFailed is a document that cannot be handed out: 503, and the execution stays as it was.
func renderingFailed(err error) error {
	var fault *jobdoc.Error
	if errors.As(err, &fault) {
		return unavailable("The job document cannot be filled for this thing: "+fault.Text(), time.Minute, err)
	}
	after := time.Second
	var later interface{ RetryAfterDelay() time.Duration }
	if errors.As(err, &later) {
		after = later.RetryAfterDelay()
	}
	return unavailable("The job document's URLs cannot be signed at present.", after, err)
}
