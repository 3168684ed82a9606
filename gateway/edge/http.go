package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

// Handler answers a request and returns the route that counts it, nil for HTTPOptions.Route.
type Handler func(ctx *fasthttp.RequestCtx) *Route

// HTTPOptions configure the request handling of an HTTP listener.
type HTTPOptions struct {
	Handler Handler
	// WriteFault writes the answer to an invalid or rejected request; nil: (*Fault).Write. It returns the request id.
	WriteFault func(ctx *fasthttp.RequestCtx, f *Fault) string
	// Admit checks a request's header before its body is read. If it returns a Fault, the body is not read and the connection
	// closes after the answer. Handler still gets the request, without a body, and must reject it by its header. nil: all
	// requests are admitted.
	Admit    func(h *fasthttp.RequestHeader) *Fault
	Route    *Route      // counts requests for which Handler returns no route; may be nil
	Draining func() bool // if true, clients are asked to reconnect elsewhere; nil: never

	MaxRequestHeader int // bytes of request line and header
	MaxBody          int // bytes; 0: no bodies
	ReadTimeout      time.Duration
	IdleTimeout      time.Duration
	Streaming        bool // Handler reads the body as a stream

	Refusals Refusals
	Panics   interface{ Inc() } // counts panics; may be nil
	Spans    Spans              // traces requests; may be nil
}

// Spans creates a span for each request that Handler gets. It is safe for concurrent use.
type Spans interface {
	Begin(ctx *fasthttp.RequestCtx)
	// End ends the span that Begin created for ctx, named after the route that answered. It returns the trace's id, "" if the
	// trace is not sampled.
	End(ctx *fasthttp.RequestCtx, route string) string
}

// HTTP is the HTTP layer of a listener. It sets every limit of fasthttp, counts requests, counts panics and answers them with
// 500, and answers invalid requests with WriteFault. It is a Server.
type HTTP struct {
	o      HTTPOptions
	server *fasthttp.Server
	woken  wakers

	mu        sync.Mutex
	listeners []*Listener // whose silent connections are parked
}

// NewHTTP returns the HTTP layer for o.
func NewHTTP(o HTTPOptions) *HTTP {
	if o.WriteFault == nil {
		o.WriteFault = func(ctx *fasthttp.RequestCtx, f *Fault) string { return f.Write(ctx) }
	}
	h := &HTTP{o: o, woken: wakers{conns: make(chan net.Conn)}}
	h.server = &fasthttp.Server{
		Handler:                      h.serve,
		ErrorHandler:                 h.malformed,
		HeaderReceived:               h.headerReceived,
		ExpectHandler:                h.expect,
		ConnState:                    h.setState,
		Logger:                       discard{},
		SecureErrorLogMessage:        true,
		Concurrency:                  1 << 23, // the listener limits connections at accept
		ReadBufferSize:               o.MaxRequestHeader,
		ReadTimeout:                  o.ReadTimeout,
		IdleTimeout:                  o.IdleTimeout,
		MaxRequestBodySize:           max(o.MaxBody, 1), // 0 would be fasthttp's 4 MiB
		MaxIdleWorkerDuration:        workerIdle,
		StreamRequestBody:            o.Streaming,
		CloseOnShutdown:              true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true, // do not parse a body before the sender is known
	}
	return h
}

// discard drops fasthttp's log lines, because they contain bytes of requests.
type discard struct{}

func (discard) Printf(string, ...any) {}

// serve answers one request.
func (h *HTTP) serve(ctx *fasthttp.RequestCtx) {
	route := h.o.Route
	if h.o.Spans != nil {
		h.o.Spans.Begin(ctx)
	}
	defer h.finish(ctx, &route)
	if f := malformedFields(&ctx.Request.Header); f != nil {
		h.answer(ctx, f)
		LetRead(ctx)
		return
	}
	if r := h.o.Handler(ctx); r != nil {
		route = r
	}
}

// finish runs after every request, also after a panic.
func (h *HTTP) finish(ctx *fasthttp.RequestCtx, route **Route) {
	if cause := recover(); cause != nil {
		if h.o.Panics != nil {
			h.o.Panics.Inc()
		}
		h.log().Error("panic while answering", "panic", cause, "stack", string(debug.Stack()))
		ctx.Response.Reset()
		h.o.WriteFault(ctx, FaultOf(nil))
	}
	if h.o.Admit != nil && ctx.Request.Header.ConnectionClose() && h.o.Admit(&ctx.Request.Header) != nil {
		LetRead(ctx) // a body may still arrive, see headerReceived
	}
	trace := ""
	if h.o.Spans != nil {
		trace = h.o.Spans.End(ctx, (*route).Name())
	}
	if *route != nil {
		(*route).Done(ctx, ctx.Time(), trace)
	}
	// A client that gets 401, 403 or 404 is not accepted.
	if c := Of(ctx.Conn()); c != nil && ctx.Response.StatusCode() < http.StatusBadRequest && !c.Accept() {
		ctx.SetConnectionClose()
	}
	if h.o.Draining != nil && h.o.Draining() { // announce it while clients can still reconnect elsewhere
		ctx.SetConnectionClose()
	}
}

func (h *HTTP) log() *slog.Logger {
	if h.o.Refusals.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.o.Refusals.Log
}

// refuse answers a request that is not passed to Handler, and ends its connection.
func (h *HTTP) refuse(ctx *fasthttp.RequestCtx, f *Fault) {
	h.answer(ctx, f)
	ctx.SetConnectionClose()
	if h.o.Route != nil {
		h.o.Route.Done(ctx, time.Now(), "")
	}
}

// answer answers with f and logs it.
func (h *HTTP) answer(ctx *fasthttp.RequestCtx, f *Fault) {
	id := h.o.WriteFault(ctx, f)
	if h.o.Refusals.Log != nil {
		h.o.Refusals.Refused(ctx, time.Now(), f, id)
	}
}

// malformed answers a request that fasthttp could not read or parse.
func (h *HTTP) malformed(ctx *fasthttp.RequestCtx, err error) {
	f, more := h.faultOf(err)
	h.refuse(ctx, f)
	if more {
		LetRead(ctx)
	}
}

// faultOf returns the fault of an invalid request, and whether more of the request may arrive.
func (h *HTTP) faultOf(err error) (f *Fault, more bool) {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &small):
		return &Fault{
			Status: http.StatusRequestHeaderFieldsTooLarge, Code: "RequestHeaderFieldsTooLarge",
			Message: fmt.Sprintf("request line and header are larger than %d bytes, the gateway's limits.max_request_header", h.o.MaxRequestHeader), Err: err,
		}, true
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return tooLarge(h.o.MaxBody), true
	case IsTimeout(err), timedOut(err):
		return &Fault{Status: http.StatusRequestTimeout, Code: "RequestTimeout", Message: "the request did not arrive within limits.read_timeout"}, false
	}
	return &Fault{Status: http.StatusBadRequest, Code: "InvalidRequest", Message: "the request is not valid HTTP/1.1"}, false
}

// refuseBody returns the fault if the header shows that the body must not be read; else nil.
func (h *HTTP) refuseBody(header *fasthttp.RequestHeader) *Fault {
	if header.ContentLength() > h.o.MaxBody {
		return tooLarge(h.o.MaxBody)
	}
	return h.admit(header)
}

// admit checks a request's header before its body is read.
func (h *HTTP) admit(header *fasthttp.RequestHeader) *Fault {
	if f := malformedFields(header); f != nil || h.o.Admit == nil {
		return f
	}
	return h.o.Admit(header)
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func tooLarge(limit int) *Fault {
	return &Fault{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestTooLarge",
		Message: fmt.Sprintf("the body is larger than %d bytes, the gateway's limits.max_body", limit),
	}
}

// headerReceived keeps bodies that admit rejects out of memory.
func (h *HTTP) headerReceived(header *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
	length := header.ContentLength()
	hasBody := length > 0 && length <= h.o.MaxBody || length == -1 // -1: chunked
	if hasBody && h.admit(header) != nil {
		header.SetContentLength(0)
		header.SetConnectionClose()
		c.MaxRequestBodySize = 1 // 0 would be the server's limit; a GET keeps its Content-Length
	}
	return c
}

// expect answers Expect: 100-continue (RFC 9110 §10.1.1), and rejects requests whose body must not be read.
func (h *HTTP) expect(ctx *fasthttp.RequestCtx) int {
	f := h.refuseBody(&ctx.Request.Header)
	if f == nil {
		return fasthttp.StatusContinue
	}
	h.refuse(ctx, f)
	LetRead(ctx)
	return f.Status
}

// RefuseHTTP answers a connection over the limit of an HTTP listener (Options.Refuse). It waits for the request, because
// clients do not accept an answer before they have sent one.
func RefuseHTTP(conn net.Conn) {
	if n, _ := conn.Read(make([]byte, 1024)); n == 0 {
		return
	}
	body := (&Fault{Code: "ServiceUnavailable", Message: "the gateway is at its limit of connections; see limits.max_connections"}).AppendBody(nil)
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nX-Amzn-ErrorType: ServiceUnavailableException\r\n"+
		"X-Amzn-RequestId: %s\r\nCache-Control: no-store\r\nRetry-After: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		uuid.NewString(), RetryAfter(2*time.Second), len(body), body)
}
