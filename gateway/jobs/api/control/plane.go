// Package control is the IoT Jobs control plane (AWS.md §5): the operations of service iot that operators call.
//
//	Call ─► route ─► model.Operation.Read ─► handler (jobs.go, executions.go, templates.go, things.go, groups.go, tags.go;
//	                                          │ own.go: those that AWS does not have)
//	                                          │ inputs.go: conversion to package jobs
//	                                          └─► jobs.Service ─► answers.go: AWS's member names ─► JSON
//
// The caller is authenticated before, by package access.
package control

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/jobs/api/model"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/wire"
	"jobgate/gateway/target"
	"jobgate/gateway/tracing"
)

// Config configures the control plane.
type Config struct {
	Service *operations.Service // required
	// TokenKey encrypts the tokens of listings: the store's Secret named TokenSecret, so that the gateways of a store
	// accept each other's. nil is a random key, so that tokens end with the process.
	TokenKey []byte
	Timeout  time.Duration // of an operation; 0: 30 s
	Log      *slog.Logger  // nil: discards; one line for each change
	Audit    *slog.Logger  // also gets the lines of changes; nil: none
}

// Plane executes the operations. It is safe for concurrent use.
type Plane struct {
	service *operations.Service
	routes  []route
	absent  []*model.Operation
	tokens  tokens
	timeout time.Duration
	log     *slog.Logger

	auditLog *slog.Logger // nil: none
}

// route is an operation and its handler.
type route struct {
	*model.Operation
	serve handler
}

// handler executes an operation. Its answer, nil for none, is encoded as JSON.
type handler func(c *Plane, call *call) (answer any, err error)

// call is one request of the control plane.
type call struct {
	ctx       context.Context
	now       time.Time
	operation *model.Operation
	in        model.Input
	host      string // that the client called
}

// handlers returns the handlers by operation name. A test compares them with the model.
func handlers() map[string]handler {
	all := map[string]handler{"DescribeEndpoint": describeEndpoint}
	for _, group := range []map[string]handler{jobHandlers, executionHandlers, templateHandlers, thingHandlers, groupHandlers, tagHandlers, ownHandlers} {
		for name, h := range group {
			all[name] = h
		}
	}
	return all
}

// New returns the control plane for c.
func New(c Config) (*Plane, error) {
	if c.Service == nil {
		return nil, errors.New("cannot serve the jobs control plane: Service is required")
	}
	known, err := model.Control()
	if err != nil {
		return nil, err
	}
	own, err := model.Own()
	if err != nil {
		return nil, err
	}
	absent, err := model.Absent()
	if err != nil {
		return nil, err
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &Plane{service: c.Service, absent: absent.Operations, tokens: newTokens(c.TokenKey), timeout: c.Timeout, log: c.Log, auditLog: c.Audit}
	serve := handlers()
	for _, op := range slices.Concat(known.Operations, own.Operations) {
		p.routes = append(p.routes, route{op, serve[op.Name]})
	}
	return p, nil
}

// Serve answers caller's request, at now, for the target asked. operation is the operation's name for the log, "" if there
// is none.
func (c *Plane) Serve(ctx *fasthttp.RequestCtx, asked *target.Target, caller *access.Caller, now time.Time) (operation string, _ *exception.Exception) {
	route, variables, err := c.route(string(ctx.Method()), asked)
	if err != nil {
		return "", err
	}
	var in model.Input
	failure := c.run(ctx, &in, &exchange{route, variables, asked, caller, now})
	c.audit(route, caller, resource(asked, variables, &in), failure)
	return route.Name, failure
}

// exchange is a request whose operation is known.
type exchange struct {
	*route
	variables map[string]string
	asked     *target.Target
	caller    *access.Caller
	now       time.Time
}

// run executes an operation, if its caller may, and writes the answer. It sets in to the operation's input.
func (c *Plane) run(ctx *fasthttp.RequestCtx, in *model.Input, x *exchange) (err *exception.Exception) {
	if fault := x.caller.MayOperate(x.Name, x.Changes()); fault != nil {
		return exception.From(fault)
	}
	var args fasthttp.Args
	args.ParseBytes(x.asked.Query())
	if *in, err = x.Read(x.variables, &args, ctx.Request.Body()); err != nil {
		return err
	}
	timeout, cancel := context.WithTimeout(tracing.Detached(ctx), c.timeout)
	defer cancel()
	answer, failure := x.serve(c, &call{ctx: timeout, now: x.now, operation: x.Operation, in: *in, host: string(ctx.Host())})
	if failure == nil {
		failure = respond(ctx, answer)
	}
	if failure != nil {
		return exception.Of(x.Exceptions, failure)
	}
	return nil
}

// respond writes an answer that is not an error.
func respond(ctx *fasthttp.RequestCtx, answer any) error {
	header := &ctx.Response.Header
	header.Set(edge.HeaderRequestID, edge.NewRequestID())
	header.SetCanonical([]byte("Cache-Control"), []byte("no-store"))
	header.SetContentType("application/json")
	if answer == nil {
		return nil
	}
	body, err := wire.Encode(answer)
	if err != nil {
		return err
	}
	ctx.Response.SetBodyRaw(body)
	return nil
}

// route finds the operation of a method and a path, and the path's variables.
func (c *Plane) route(method string, asked *target.Target) (*route, map[string]string, *exception.Exception) {
	if errors.Is(asked.Spelling(), target.ErrEscape) {
		return nil, nil, exception.InvalidRequest("The path is not percent-encoded.")
	}
	segments := make([]string, len(asked.Segments()))
	for i, s := range asked.Segments() {
		segments[i] = strings.ToValidUTF8(string(s), "?")
	}
	i := slices.IndexFunc(c.routes, func(r route) bool { return r.Matches(method, segments) })
	if i < 0 {
		return nil, nil, exception.New(http.StatusNotFound, "UnknownOperation", "%s", c.unknown(method, segments))
	}
	return &c.routes[i], c.routes[i].Variables(segments), nil
}

// unknown returns the name of the AWS operation that is not implemented.
func (c *Plane) unknown(method string, segments []string) string {
	for _, op := range c.absent {
		if op.Matches(method, segments) {
			return "The operation " + op.Name + " is not available: this gateway has those of IoT Jobs, and of things and groups what they need."
		}
	}
	return "There is no operation " + method + " of that path."
}
