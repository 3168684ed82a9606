package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
)

// Exception is an answer that is an error, in AWS's shape: its name in X-Amzn-ErrorType, the message in the body.
// Message goes to the client and never holds a secret, a path of the machine or a Go type; Err goes to the log.
type Exception struct {
	Status  int
	Name    string // "ResourceNotFoundException"
	Message string

	ResourceARN string // of the resource that is in the way
	ResourceID  string
	State       *jobs.Execution // data plane: the execution as it is
	RetryAfter  time.Duration   // > 0: when to come back, jittered on the wire
	Err         error           // the cause; nil if Message says it all
}

// Error returns the text for the log.
func (e *Exception) Error() string {
	if e.Err == nil {
		return e.Name + ": " + e.Message
	}
	return e.Name + ": " + e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Exception) Unwrap() error { return e.Err }

func exception(status int, name, format string, args ...any) *Exception {
	return &Exception{Status: status, Name: name + "Exception", Message: fmt.Sprintf(format, args...)}
}

func invalidRequest(format string, args ...any) *Exception {
	return exception(http.StatusBadRequest, "InvalidRequest", format, args...)
}

// unavailable is a fault that passes: 503, and when to come back.
func unavailable(message string, after time.Duration, cause error) *Exception {
	e := exception(http.StatusServiceUnavailable, "ServiceUnavailable", "%s", message)
	e.RetryAfter, e.Err = max(after, time.Second), cause
	return e
}

// kinds says how the service's failures are called, in the order in which names are tried: the first that the operation
// models is taken. The last needs no model.
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
	{context.DeadlineExceeded, []string{"ServiceUnavailable", "InternalFailure"}}, // the store had no turn for it
}

// statuses are those of exceptions that an operation may answer with though its model does not list them.
var statuses = map[string]int{
	"InvalidRequest": http.StatusBadRequest, "ResourceNotFound": http.StatusNotFound,
	"Throttling": http.StatusBadRequest, "InternalFailure": http.StatusInternalServerError,
}

// exceptionOf returns a failure of the service as op's answer. What is no failure that a client may be told of becomes
// 500, with the cause for the log.
func (op *operation) exceptionOf(err error) *Exception {
	var e *Exception
	if errors.As(err, &e) {
		return e
	}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return op.named(k.names, err)
		}
	}
	name := "InternalFailure"
	if _, ok := op.exceptions["InternalServer"]; ok {
		name = "InternalServer"
	}
	e = exception(http.StatusInternalServerError, name, "The gateway failed; its log says why.")
	e.Err = err
	return e
}

// named returns err under the first of names that op models, or the last.
func (op *operation) named(names []string, err error) *Exception {
	for i, name := range names {
		status, ok := op.exceptions[name]
		if !ok && i < len(names)-1 {
			continue
		}
		if !ok {
			status = statuses[name]
		}
		e := exception(status, name, "%s", messageOf(err))
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

// messageOf returns what a client may be told of err.
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

// The names of headers, as fasthttp keeps them.
const (
	headerErrorType  = "X-Amzn-Errortype"
	headerRequestID  = "X-Amzn-Requestid"
	headerRetryAfter = "Retry-After"
)

var (
	contentType     = []byte("application/json")
	cacheControlKey = []byte("Cache-Control")
	noStore         = []byte("no-store")
)

// Write makes e the answer, under a fresh request id, which it returns for the log.
func (e *Exception) Write(ctx *fasthttp.RequestCtx) (requestID string) {
	requestID = uuid.NewString()
	r := &ctx.Response
	r.Reset()
	r.SetStatusCode(e.Status)
	r.Header.SetContentTypeBytes(contentType)
	r.Header.SetCanonical(cacheControlKey, noStore)
	r.Header.Set(headerErrorType, e.Name)
	r.Header.Set(headerRequestID, requestID)
	if e.RetryAfter > 0 {
		r.Header.Set(headerRetryAfter, retryAfter(e.RetryAfter))
	}
	r.SetBodyRaw(e.appendBody(nil))
	return requestID
}

// appendBody appends the body. A device learns the state that its report did not fit (AWS.md §7, Rejected payload).
func (e *Exception) appendBody(dst []byte) []byte {
	dst = append(dst, `{"message":`...)
	dst = appendString(dst, e.Message)
	if e.ResourceARN != "" {
		dst = appendString(append(dst, `,"resourceArn":`...), e.ResourceARN)
	}
	if e.ResourceID != "" {
		dst = appendString(append(dst, `,"resourceId":`...), e.ResourceID)
	}
	if e.State != nil {
		dst = appendState(append(dst, `,"executionState":`...), e.State)
	}
	return append(dst, '}')
}

// retryAfter returns whole seconds between d and twice d, at random, so that a fleet that was turned away together does
// not come back together.
func retryAfter(d time.Duration) string {
	d += rand.N(d)
	return strconv.FormatInt(max(1, int64(d.Round(time.Second)/time.Second)), 10)
}
