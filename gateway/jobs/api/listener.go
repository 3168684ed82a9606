package api

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/control"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/target"
)

// Config configures the control listener.
type Config struct {
	Control  *control.Plane   // required
	Data     *data.Plane      // required: answers requests scoped to iot-jobs-data
	Events   *events.Stream   // required
	Verifier *access.Verifier // required
	Log      *slog.Logger     // nil: discards
	Clock    func() time.Time // nil: time.Now
}

// Listener answers the requests of the control listener. The planes share paths, and a request's credential scope selects
// the plane. Every request must be signed (SigV4). It is safe for concurrent use.
type Listener struct {
	config Config
	log    *exception.Log
}

// exchange is the scratch space of one request of the control listener, pooled.
type exchange struct {
	asked target.Target
	data  data.Exchange // of a request to the data plane
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func (x *exchange) release() {
	x.data.Release()
	exchanges.Put(x)
}

// New returns the listener's handler for c.
func New(c Config) (*Listener, error) {
	if c.Control == nil || c.Data == nil || c.Events == nil || c.Verifier == nil {
		return nil, errors.New("cannot serve the control listener: Control, Data, Events and Verifier are required")
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	// There are few operators, all with access: a denied request is a warning.
	return &Listener{config: c, log: exception.NewLog(c.Log).WarnDenied()}, nil
}

// HTTP returns the request handling of the control listener. Its owner adds limits, metrics and logs, and calls Close at
// the end.
func (l *Listener) HTTP() edge.HTTPOptions {
	return edge.HTTPOptions{
		Handler: func(ctx *fasthttp.RequestCtx) *edge.Route {
			l.Handle(ctx)
			return nil
		},
		WriteFault: writeFault,
		Admit: func(header *fasthttp.RequestHeader) *edge.Fault {
			return l.config.Verifier.Admit(header, l.config.Clock())
		},
	}
}

// writeFault writes a fault of the edge in the shape of AWS's control plane.
func writeFault(ctx *fasthttp.RequestCtx, f *edge.Fault) (requestID string) {
	if f.Status == http.StatusRequestEntityTooLarge {
		f.Code = "RequestEntityTooLarge"
	}
	return f.WriteException(ctx, nil)
}

// Close ends the event streams. It may be called more than once.
func (l *Listener) Close() { l.config.Events.Close() }

// Handle answers one request.
func (l *Listener) Handle(ctx *fasthttp.RequestCtx) {
	now := l.config.Clock()
	if name, err := l.serve(ctx, now); err != nil {
		l.log.Refused(ctx, now, name, err, err.Write(ctx))
	}
}

// serve authenticates one request and passes it to its plane. It returns the operation's name, for the log.
func (l *Listener) serve(ctx *fasthttp.RequestCtx, now time.Time) (operation string, _ *exception.Exception) {
	x := exchanges.Get().(*exchange)
	defer x.release()
	if err := x.asked.Parse(ctx.Request.Header.RequestURI()); err != nil {
		return "", exception.InvalidRequest("The request cannot be read: %v.", err)
	}
	caller, fault := l.config.Verifier.Verify(ctx, &x.asked, now, access.ServiceControl, access.ServiceData)
	if fault != nil {
		return "", exception.From(fault)
	}
	switch {
	case caller.Service == access.ServiceData:
		x.data.Now, x.data.Target, x.data.Authenticated = now, &x.asked, true
		l.config.Data.Match(ctx.Method(), &x.data)
		l.config.Data.ServeFor(ctx, &x.data, caller)
		return "", nil
	case string(x.asked.Path()) == events.Path && ctx.IsGet():
		return "Watch", l.config.Events.Serve(ctx, caller)
	case string(x.asked.Path()) == control.CallerPath && ctx.IsGet():
		return l.config.Control.ServeCaller(ctx, caller)
	}
	return l.config.Control.Serve(ctx, &x.asked, caller, now)
}
