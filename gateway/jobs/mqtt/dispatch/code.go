package dispatch

import (
	"context"
	"errors"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
)

// Code is the code of a rejected request (AWS.md §7), or Accepted.
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
	state   *jobs.Execution // InvalidStateTransition, VersionMismatch: the current execution
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

// codes maps the service's errors to codes, in the order in which they are tried.
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
	{context.DeadlineExceeded, RequestThrottled}, // the store was too busy
	{jobs.ErrUnavailable, InternalError},
	{jobs.ErrClosed, InternalError},
}

// rejectionOf returns the rejection for an error.
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

// unrendered returns the error for a document that cannot be rendered; the execution does not change.
func unrendered(err error) error {
	message := "The job document's URLs cannot be signed at present."
	var fault *jobdoc.Error
	if errors.As(err, &fault) {
		message = "The job document cannot be filled for this thing: " + fault.Text()
	}
	return &rejection{code: InternalError, message: message, cause: err}
}
