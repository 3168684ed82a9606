package data

import (
	"context"
	"strconv"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/jobs/api/model"
	"jobgate/gateway/jobs/wire"
)

// Operations are not canceled with the connection, nor with the server's shutdown, which waits for them. They end with an
// answer or by their own timeout.

// getPending appends the answer to GetPendingJobExecutions.
func (d *Plane) getPending(x *Exchange, body []byte) ([]byte, error) {
	p, err := d.service.GetPending(x.ctx, string(x.thing), x.pending[:0])
	if err != nil {
		return body, err
	}
	x.pending = p.Buffer()
	return append(wire.AppendPending(body, &p), '}'), nil
}

// describe appends the answer to DescribeJobExecution; `{}` for the next execution if nothing is pending.
func (d *Plane) describe(x *Exchange, body []byte) ([]byte, error) {
	r := jobs.DescribeExecutionRequest{Thing: string(x.thing), Document: true}
	if string(x.job) == jobs.Next {
		r.JobID = jobs.Next
	} else {
		r.JobID = string(x.job)
	}
	// Fast path: no query, for the latest execution with its document.
	if x.query.Len() > 0 {
		if err := x.describeQuery(&r); err != nil {
			return body, err
		}
	}
	described, found, err := d.service.Describe(x.ctx, r)
	if err != nil {
		return body, err
	}
	if !found {
		return append(body, '{', '}'), nil
	}
	body = append(body, `{"execution":`...)
	body = wire.AppendExecution(body, &described.Execution, x.Now)
	if described.Document.Template != nil {
		if body, err = d.appendDocument(body, &described, x); err != nil {
			return body, err
		}
	}
	return append(body, '}', '}'), nil
}

// appendDocument appends the document as a member of an execution.
func (d *Plane) appendDocument(body []byte, described *jobs.Described, x *Exchange) ([]byte, error) {
	body = append(body, `,"jobDocument":"`...)
	body, err := d.documents.AppendTo(body, &described.Document, &described.Execution, x.Now)
	if err != nil {
		return body, err
	}
	return append(body, '"'), nil
}

// describeQuery reads the query of DescribeJobExecution.
func (x *Exchange) describeQuery(r *jobs.DescribeExecutionRequest) error {
	if v := x.query.Peek("includeJobDocument"); v != nil {
		switch string(v) {
		case "true":
		case "false":
			r.Document = false
		default:
			return exception.InvalidRequest("includeJobDocument must be true or false.")
		}
	}
	if v := x.query.Peek("executionNumber"); v != nil {
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil || n < 1 {
			return exception.InvalidRequest("executionNumber must be an integer of at least 1.")
		}
		r.Number = n
	}
	return nil
}

// input reads and checks the body of an operation, and its path.
func (d *Plane) input(ctx *fasthttp.RequestCtx, x *Exchange) (model.Input, error) {
	variables := map[string]string{"thingName": string(x.thing), "jobId": string(x.job)}
	in, bad := d.model[x.operation].Read(variables, &x.query, ctx.Request.Body())
	if bad != nil {
		return in, bad
	}
	return in, jobs.ValidateDetailsCount(in.Pairs("statusDetails"))
}

// startNext appends the answer to StartNextPendingJobExecution. The document is rendered before the execution is started, so
// that nothing is started if it cannot be signed.
func (d *Plane) startNext(ctx *fasthttp.RequestCtx, x *Exchange, body []byte) ([]byte, error) {
	in, err := d.input(ctx, x)
	if err != nil {
		return body, err
	}
	waiting, cancel := context.WithTimeout(x.ctx, d.timeout)
	defer cancel()
	described, found, err := d.service.StartNext(waiting, x.Now, jobs.StartNextRequest{
		Thing: string(x.thing), Details: in.Pairs("statusDetails"), StepMinutes: in.Long("stepTimeoutInMinutes"),
		Before: d.renderInto(x),
	})
	if err != nil {
		return body, err
	}
	if !found {
		return append(body, '{', '}'), nil
	}
	body = append(body, `{"execution":`...)
	body = wire.AppendExecution(body, &described.Execution, x.Now)
	body = append(body, `,"jobDocument":"`...)
	body = append(body, x.document...)
	return append(body, '"', '}', '}'), nil
}

// renderInto returns a jobs.Before that renders the document into x.document.
func (d *Plane) renderInto(x *Exchange) jobs.Before {
	return func(described *jobs.Described) (err error) {
		if described.Document.Template == nil {
			return nil
		}
		x.document, err = d.documents.AppendTo(x.document[:0], &described.Document, &described.Execution, x.Now)
		return err
	}
}

// update appends the answer to UpdateJobExecution.
func (d *Plane) update(ctx *fasthttp.RequestCtx, x *Exchange, body []byte) ([]byte, error) {
	in, err := d.input(ctx, x)
	if err != nil {
		return body, err
	}
	status, _ := jobs.ParseStatus(in.Text("status")) // checked
	if in.Has("stepTimeoutInMinutes") && in.Long("stepTimeoutInMinutes") == 0 {
		return body, exception.InvalidRequest("stepTimeoutInMinutes must be between 1 and %d, or -1.", jobs.MaxTimeoutMinutes)
	}
	waiting, cancel := context.WithTimeout(x.ctx, d.timeout)
	defer cancel()
	r := jobs.UpdateExecutionRequest{
		Thing: string(x.thing), JobID: string(x.job), Number: in.Long("executionNumber"),
		Status: status, Details: in.Pairs("statusDetails"), ExpectedVersion: in.ExpectedVersion(),
		StepMinutes: in.Long("stepTimeoutInMinutes"), Document: in.Flag("includeJobDocument", false),
	}
	if r.Document {
		r.Before = d.renderInto(x)
	}
	described, err := d.service.Update(waiting, x.Now, r)
	if err != nil {
		return body, err
	}
	return x.appendUpdated(body, &described, in.Flag("includeJobExecutionState", false), r.Document), nil
}

// appendUpdated appends the state and document, as the update requests.
func (x *Exchange) appendUpdated(body []byte, described *jobs.Described, state, document bool) []byte {
	body = append(body, '{')
	if state {
		body = wire.AppendState(append(body, `"executionState":`...), &described.Execution)
	}
	if state && document {
		body = append(body, ',')
	}
	if document {
		body = append(body, `"jobDocument":"`...)
		body = append(body, x.document...)
		body = append(body, '"')
	}
	return append(body, '}')
}
