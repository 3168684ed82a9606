package gateway

import (
	"fmt"
	"net/http"
	"time"

	"jobgate/gateway/edge"
)

// Error is an error answer.
type Error = edge.Fault

func errBadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "InvalidRequest", Message: fmt.Sprintf(format, args...)}
}

func errNotFound(err error) *Error {
	return &Error{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "there is no such job document", Err: err}
}

func errUnavailable(message string, retryAfter time.Duration, err error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: message, RetryAfter: retryAfter, Err: err}
}

func errDocument(message string, err error) *Error {
	return &Error{Status: http.StatusBadGateway, Code: "InvalidJobDocument", Message: message, Err: err}
}

func errTooLarge(what string, limit int, setting string) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestTooLarge",
		Message: fmt.Sprintf("%s is larger than %d bytes, the gateway's %s", what, limit, setting),
	}
}

func errTimeout() *Error {
	return &Error{Status: http.StatusRequestTimeout, Code: "RequestTimeout", Message: "the request did not arrive within limits.read_timeout"}
}

func errMethod(allowed string) *Error {
	return &Error{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed", Message: "the method is not one of " + allowed}
}
