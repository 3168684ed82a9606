package data

import (
	"context"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/documents"
	"jobgate/gateway/signing/signingtest"
	"jobgate/gateway/target"
)

var testTime = time.Date(2026, 11, 23, 12, 0, 0, 250e6, time.UTC)

const testRole = "arn:aws:iam::123456789012:role/download"

// fakeService is a service with one job, or none, for every thing.
type fakeService struct {
	described jobs.Described
	found     bool
	err       error
	updated   *jobs.UpdateExecutionRequest
}

func (s *fakeService) GetPending(_ context.Context, thing string, buf []jobs.Execution) (jobs.PendingExecutions, error) {
	if !s.found {
		return jobs.PendingExecutions{InProgress: buf[:0], Queued: buf[:0]}, s.err
	}
	e := s.described.Execution
	e.Thing = thing
	buf = append(buf[:0], e)
	return jobs.PendingExecutions{InProgress: buf[:0], Queued: buf}, s.err
}

func (s *fakeService) Describe(_ context.Context, r jobs.DescribeExecutionRequest) (jobs.Described, bool, error) {
	d := s.described
	if !r.Document {
		d.Document = jobs.Document{}
	}
	return d, s.found, s.err
}

func (s *fakeService) StartNext(_ context.Context, now time.Time, r jobs.StartNextRequest) (jobs.Described, bool, error) {
	d := s.described
	d.Execution.Status, d.Execution.Version, d.Execution.StartedAt = jobs.InProgress, 2, now
	if s.found && s.err == nil {
		if err := r.Before(&d); err != nil {
			return jobs.Described{}, false, err
		}
	}
	return d, s.found, s.err
}

func (s *fakeService) Update(_ context.Context, _ time.Time, r jobs.UpdateExecutionRequest) (jobs.Described, error) {
	d := s.described
	d.Execution.Status, d.Execution.Version, d.Execution.Details = r.Status, 2, jobs.NewStatusDetails(r.Details)
	if r.Before != nil && s.err == nil {
		if err := r.Before(&d); err != nil {
			return jobs.Described{}, err
		}
	}
	s.updated = &r
	return d, s.err
}

const plainDocument = `{"text":"nothing \"signed\""}`

func newTemplate(tb testing.TB, text string) *jobdoc.Template {
	t, err := jobdoc.Parse([]byte(text), &jobdoc.Options{JSONString: true})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func newDescribed(tb testing.TB, document string) jobs.Described {
	job := &jobs.Job{ID: "update-7", Status: jobs.JobInProgress, CreatedAt: testTime}
	return jobs.Described{
		Execution: jobs.Execution{Thing: "sensor:1", Job: job, Number: 1, Version: 1, QueuedAt: testTime, UpdatedAt: testTime},
		Document:  jobs.Document{Template: newTemplate(tb, document), RoleARN: testRole, Expires: time.Hour},
	}
}

// newFake returns a data plane over a fake service that has one execution with document for every thing.
func newFake(tb testing.TB, document string) (*Plane, *fakeService, *signingtest.Authority) {
	service := &fakeService{described: newDescribed(tb, document), found: true}
	authority := signingtest.NewAuthority(tb)
	d, err := New(Config{Service: service, Documents: documents.New(documents.Config{Authority: authority})})
	if err != nil {
		tb.Fatal(err)
	}
	return d, service, authority
}

// device does the listener's part of a request: it keeps the exchange, and parses the target.
type device struct {
	asked target.Target
	x     Exchange
}

// serve answers the request in ctx as one of thing, proven if authenticated is set.
func (v *device) serve(d *Plane, ctx *fasthttp.RequestCtx, now time.Time, thing []byte, authenticated bool) {
	defer v.x.Release()
	if err := v.asked.Parse(ctx.Request.Header.RequestURI()); err != nil {
		panic(err)
	}
	v.x.Now, v.x.Target, v.x.Thing, v.x.Authenticated = now, &v.asked, thing, authenticated
	d.Match(ctx.Method(), &v.x)
	d.Serve(ctx, &v.x)
}

// request prepares a request as the server passes it.
func request(ctx *fasthttp.RequestCtx, method, uri, body string) {
	ctx.Request.Reset()
	ctx.Response.Reset()
	ctx.Request.Header.SetMethod(method)
	ctx.Request.Header.SetRequestURI(uri)
	ctx.Request.Header.SetHost("localhost")
	ctx.Request.SetBodyString(body)
}
