// Package exception writes and logs the IoT Jobs API's error answers: AWS's names and statuses, X-Amzn-ErrorType and
// X-Amzn-RequestId, {"message":…}.
//
//	a failure of jobs.Service ─► Of, by the operation's model ─► Exception ─► Write, Log.Refused
package exception

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/wire"
)

// Exception is an error answer in AWS's shape.
type Exception struct {
	edge.Fault
	ResourceARN string // of the existing resource
	ResourceID  string
	State       *jobs.Execution // data plane: the current execution
}

// New returns an exception of a status and a name without its suffix "Exception".
func New(status int, name, format string, args ...any) *Exception {
	return &Exception{Fault: edge.Fault{Status: status, Code: name, Message: fmt.Sprintf(format, args...)}}
}

// From returns f as an exception, nil for nil.
func From(f *edge.Fault) *Exception {
	if f == nil {
		return nil
	}
	return &Exception{Fault: *f}
}

// InvalidRequest returns an InvalidRequestException.
func InvalidRequest(format string, args ...any) *Exception {
	return New(http.StatusBadRequest, "InvalidRequest", format, args...)
}

// Unavailable returns a temporary failure: 503 with Retry-After.
func Unavailable(message string, after time.Duration, cause error) *Exception {
	e := New(http.StatusServiceUnavailable, "ServiceUnavailable", "%s", message)
	e.RetryAfter, e.Err = max(after, time.Second), cause
	return e
}

// kinds maps the service's errors to AWS's names. The first name that the operation models is used; the last needs no
// model.
var kinds = []struct {
	kind  error
	names []string
}{
	{jobs.ErrInvalidRequest, []string{"InvalidRequest"}},
	{jobs.ErrNotFound, []string{"ResourceNotFound"}},
	{jobs.ErrAlreadyExists, []string{"ResourceAlreadyExists", "Conflict", "InvalidRequest"}},
	{jobs.ErrInvalidStateTransition, []string{"InvalidStateTransition", "InvalidRequest"}},
	{jobs.ErrVersionConflict, []string{"VersionConflict", "InvalidStateTransition", "InvalidRequest"}},
	{jobs.ErrTerminalState, []string{"TerminalState", "InvalidStateTransition", "InvalidRequest"}},
	{jobs.ErrLimitExceeded, []string{"LimitExceeded", "Throttling"}},
	{jobs.ErrConflict, []string{"Conflict", "ServiceUnavailable", "Throttling"}},
	{jobs.ErrUnavailable, []string{"ServiceUnavailable", "InternalFailure"}},
	{jobs.ErrClosed, []string{"ServiceUnavailable", "InternalFailure"}},
	{context.DeadlineExceeded, []string{"ServiceUnavailable", "InternalFailure"}}, // the store was too busy
}

// statuses are those of exceptions that any operation may answer, even if its model does not list them.
var statuses = map[string]int{
	"InvalidRequest": http.StatusBadRequest, "ResourceNotFound": http.StatusNotFound,
	"Throttling": http.StatusBadRequest, "InternalFailure": http.StatusInternalServerError,
}

// Of returns the answer to a failure of the service, for an operation that models exceptions (status by name). An internal
// error becomes 500, with the cause for the log.
func Of(modelled map[string]int, err error) *Exception {
	var e *Exception
	if errors.As(err, &e) {
		return e
	}
	var f *edge.Fault
	if errors.As(err, &f) {
		return From(f)
	}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return named(modelled, k.names, err)
		}
	}
	name := "InternalFailure"
	if _, ok := modelled["InternalServer"]; ok {
		name = "InternalServer"
	}
	e = New(http.StatusInternalServerError, name, "The gateway failed; its log says why.")
	e.Err = err
	return e
}

// named returns err with the first of names that the operation models, or the last.
func named(modelled map[string]int, names []string, err error) *Exception {
	for i, name := range names {
		status, ok := modelled[name]
		if !ok && i < len(names)-1 {
			continue
		}
		if !ok {
			status = statuses[name]
		}
		e := New(status, name, "%s", messageOf(err))
		if name == "ServiceUnavailable" || name == "Throttling" {
			e.RetryAfter = time.Second
		}
		var known *jobs.Error
		if errors.As(err, &known) {
			e.ResourceARN, e.ResourceID, e.State = known.ResourceARN, known.ResourceID, known.Execution
		}
		if error(known) != err { //nolint:errorlint // is there more than the message?
			e.Err = err
		}
		return e
	}
	return nil
}

// messageOf returns err's message for clients.
func messageOf(err error) string {
	var known *jobs.Error
	switch {
	case errors.As(err, &known):
		return known.Message
	case errors.Is(err, jobs.ErrNotFound):
		return "The resource does not exist."
	case errors.Is(err, jobs.ErrClosed):
		return "The service is shutting down."
	case errors.Is(err, context.DeadlineExceeded):
		return "The store is busy; try again."
	}
	return "The request cannot be served as it is."
}

// Write writes e as the answer, with a new request id, which it returns for the log.
func (e *Exception) Write(ctx *fasthttp.RequestCtx) (requestID string) {
	return e.WriteException(ctx, e.appendMembers)
}

// appendMembers appends the members besides the message. A device gets the state that its report did not match
// (AWS.md §7, Rejected payload).
func (e *Exception) appendMembers(dst []byte) []byte {
	if e.ResourceARN != "" {
		dst = wire.AppendString(append(dst, `,"resourceArn":`...), e.ResourceARN)
	}
	if e.ResourceID != "" {
		dst = wire.AppendString(append(dst, `,"resourceId":`...), e.ResourceID)
	}
	if e.State != nil {
		dst = wire.AppendState(append(dst, `,"executionState":`...), e.State)
	}
	return dst
}
