package dispatch

import (
	"context"
	"errors"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
)

// Code is what a rejected request is rejected with (AWS.md §7); Accepted is none.
type Code uint8

// AWS's codes.
const (
	Accepted Code = iota
	InvalidTopic
	InvalidJSON
	InvalidRequest
	InvalidStateTransition
	ResourceNotFound
	VersionMismatch
	InternalError
	RequestThrottled
	TerminalStateReached

	Codes = 10 // how many there are
)

var codeNames = [Codes]string{
	"", "InvalidTopic", "InvalidJson", "InvalidRequest", "InvalidStateTransition", "ResourceNotFound", "VersionMismatch",
	"InternalError", "RequestThrottled", "TerminalStateReached",
}

// String returns AWS's name, "" for Accepted.
func (c Code) String() string { return codeNames[c] }

// rejection is an error with its code; message goes to the device.
type rejection struct {
	code    Code
	message string
	state   *jobs.Execution // InvalidStateTransition, VersionMismatch: the execution as it is
	cause   error           // for the log; nil if the message says it all
}

// Error returns the text for the log.
func (r *rejection) Error() string {
	if r.cause != nil {
		return r.code.String() + ": " + r.message + ": " + r.cause.Error()
	}
	return r.code.String() + ": " + r.message
}

// Unwrap returns the cause.
func (r *rejection) Unwrap() error { return r.cause }

func fault(code Code, message string) *rejection { return &rejection{code: code, message: message} }

func invalid(message string) *rejection { return fault(InvalidRequest, message) }

// codes says how the service's failures are called here, in the order in which they are tried.
var codes = []struct {
	kind error
	code Code
}{
	{jobs.ErrInvalidRequest, InvalidRequest},
	{jobs.ErrNotFound, ResourceNotFound},
	{jobs.ErrInvalidStateTransition, InvalidStateTransition},
	{jobs.ErrVersionConflict, VersionMismatch},
	{jobs.ErrTerminalState, TerminalStateReached},
	{jobs.ErrLimitExceeded, RequestThrottled},
	{jobs.ErrConflict, RequestThrottled},
	{context.DeadlineExceeded, RequestThrottled}, // the store had no turn for it
	{jobs.ErrUnavailable, InternalError},
	{jobs.ErrClosed, InternalError},
}

// rejectionOf returns a failure as a device is told of it.
func rejectionOf(err error) *rejection {
	var r *rejection
	if errors.As(err, &r) {
		return r
	}
	r = &rejection{code: InternalError, message: "The gateway failed; its log says why.", cause: err}
	for _, c := range codes {
		if !errors.Is(err, c.kind) {
			continue
		}
		r.code = c.code
		var known *jobs.Error
		switch {
		case errors.As(err, &known):
			r.message = known.Message
			if r.code == InvalidStateTransition || r.code == VersionMismatch {
				r.state = known.Execution
			}
		case r.code == ResourceNotFound:
			r.message = "The resource does not exist."
		case r.code == RequestThrottled:
			r.message = "The store is busy; try again."
		case errors.Is(err, jobs.ErrClosed):
			r.message = "The service is shutting down."
		}
		return r
	}
	return r
}

// unrendered is a document that cannot be handed out; the execution stays as it was.
func unrendered(err error) error {
	message := "The job document's URLs cannot be signed at present."
	var fault *jobdoc.Error
	if errors.As(err, &fault) {
		message = "The job document cannot be filled for this thing: " + fault.Text()
	}
	return &rejection{code: InternalError, message: message, cause: err}
}
