package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

// Error is an answer that is not a document. Message goes to the client and never
// holds a secret, a path of the machine or a Go type; Err goes to the log.
type Error struct {
	Status     int
	Code       string        // the AWS style code, "ResourceNotFound"
	Message    string        // what is wrong, with the value and the limit
	RetryAfter time.Duration // > 0: when to come back, jittered on the wire
	Err        error         // the cause; nil if Message says it all
}

// Error returns the text for the log.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code + ": " + e.Message
	}
	return e.Code + ": " + e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

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

// asError returns err as an *Error; anything else is a fault of the gateway's own.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Code: "InternalFailure", Message: "the gateway failed; its log says why", Err: err}
}

// errorBody is the shape of every error answer.
type errorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// write answers with e under a fresh request id, which it returns for the log.
func (e *Error) write(ctx *fasthttp.RequestCtx) (requestID string) {
	requestID = uuid.NewString()
	body, _ := json.Marshal(errorBody{e.Code, e.Message}) // two strings always encode
	r := &ctx.Response
	r.ResetBody()
	r.SetStatusCode(e.Status)
	r.Header.SetContentType("application/json")
	r.Header.Set("Cache-Control", "no-store")
	r.Header.Set("X-Amzn-Errortype", e.Code+"Exception")
	r.Header.Set("X-Amzn-Requestid", requestID)
	if e.RetryAfter > 0 {
		r.Header.Set("Retry-After", retryAfter(e.RetryAfter))
	}
	r.SetBody(body)
	return requestID
}

// retryAfter returns whole seconds between d and twice d, at random, so that a
// fleet that was turned away together does not come back together.
func retryAfter(d time.Duration) string {
	d += rand.N(d)
	return strconv.FormatInt(max(1, int64(d.Round(time.Second)/time.Second)), 10)
}
