package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"jobgate/gateway/edge"
)

func errRequest(message string) *edge.Fault {
	return &edge.Fault{Status: http.StatusBadRequest, Code: "InvalidRequest", Message: message}
}

func errBrokenRequest() *edge.Fault {
	return errRequest("the body ended early, or its chunks are not valid HTTP/1.1")
}

func errSlowRequest() *edge.Fault {
	return &edge.Fault{Status: http.StatusRequestTimeout, Code: "RequestTimeout", Message: "the request did not arrive within limits.read_timeout"}
}

func errTooLarge(limit int) *edge.Fault {
	return &edge.Fault{
		Status: http.StatusRequestEntityTooLarge, Code: "RequestTooLarge",
		Message: fmt.Sprintf("the body is larger than %d bytes, the gateway's limits.max_body", limit),
	}
}

func errMethod() *edge.Fault {
	return &edge.Fault{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed", Message: "CONNECT and TRACE are not forwarded"}
}

func errVersion(limit int) *edge.Fault {
	return &edge.Fault{
		Status: http.StatusHTTPVersionNotSupported, Code: "HTTPVersionNotSupported",
		Message: fmt.Sprintf("the upstream's answer is longer than %d bytes, the gateway's limits.max_rendered, and has no Content-Length; use HTTP/1.1", limit),
	}
}

// dialError says that connecting to the upstream failed.
type dialError struct {
	cause     error
	handshake bool // TLS failed; the TCP connection succeeded
}

func (e *dialError) Error() string { return "cannot connect: " + e.cause.Error() }

func (e *dialError) Unwrap() error { return e.cause }

// upstreamFault returns the fault for a request that ended with err. The cause may be the upstream or the device.
func upstreamFault(err error) *edge.Fault {
	var upload *uploadError
	var dial *dialError
	switch {
	case errors.As(err, &upload):
		return upload.answer
	case isTimeout(err):
		return &edge.Fault{Status: http.StatusGatewayTimeout, Code: "GatewayTimeout", Message: "the upstream did not answer in time", Err: err}
	case errors.As(err, &dial) && !dial.handshake:
		return &edge.Fault{Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "the upstream cannot be reached", RetryAfter: time.Second, Err: err}
	default:
		return badGateway(err)
	}
}

func badGateway(err error) *edge.Fault {
	return &edge.Fault{Status: http.StatusBadGateway, Code: "BadGateway", Message: "the upstream ended its answer early or gave no valid answer", Err: err}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
