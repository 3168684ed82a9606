package role

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"jobgate/presigner"
)

// Errors to be compared with errors.Is.
var (
	// ErrUnavailable: the role has no usable session. See [UnavailableError].
	ErrUnavailable = errors.New("role: no credentials available")
	// ErrShortSession: the session ends before the URL would, and the mode is [Refuse].
	ErrShortSession = errors.New("role: the session ends before the URL would")
	// ErrMaxExpires: the URL would live longer than the role's max_expires.
	ErrMaxExpires = errors.New("role: longer than max_expires")
	// ErrClosed: the Set was closed.
	ErrClosed = errors.New("role: closed")
)

// UnavailableError says that a role has no usable session and why. errors.Is matches it
// with [ErrUnavailable]. Its text is for the log and holds no secret.
type UnavailableError struct {
	Role       string
	RetryAfter time.Duration // until the next attempt, at least a second
	Reason     string
}

// Error names the role and the reason.
func (e *UnavailableError) Error() string {
	return fmt.Sprintf("cannot sign with role %q: %s", e.Role, e.Reason)
}

// Is makes errors.Is(err, ErrUnavailable) true.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// Outcome is how a call to STS ended.
type Outcome string

// The outcomes of a call to STS.
const (
	OK        Outcome = "ok"
	Refused   Outcome = "refused"   // by STS: 4xx
	Throttled Outcome = "throttled" // STS limits the rate
	Failed    Outcome = "failed"    // no answer, or 5xx
)

// Outcomes lists all outcomes, to prepare a metric of each.
var Outcomes = [...]Outcome{OK, Refused, Throttled, Failed}

// outcome classifies the error of an STS call.
func outcome(err error) Outcome {
	if err == nil {
		return OK
	}
	var api smithy.APIError
	if errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "Throttl") {
		return Throttled
	}
	switch status := status(err); {
	case status == http.StatusTooManyRequests:
		return Throttled
	case status/100 == 4:
		return Refused
	}
	return Failed
}

// status returns the HTTP status of an error response, or 0.
func status(err error) int {
	var res *smithyhttp.ResponseError
	if errors.As(err, &res) && res.Response != nil && res.Response.Response != nil {
		return res.HTTPStatusCode()
	}
	return 0
}

// durationRefused reports whether STS found DurationSeconds too long for the role: over its
// MaxSessionDuration, or over the hour of role chaining. AWS has no error code for it.
func durationRefused(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" &&
		strings.Contains(strings.ToLower(api.ErrorMessage()), "durationseconds")
}

// maxReason bounds the text of an error that is kept, in bytes.
const maxReason = 400

// reason returns err as one line for the log, /readyz and UnavailableError, without the
// secrets: if a signature is wrong, STS quotes the canonical request with the token.
func reason(err error, secrets ...presigner.Credentials) string {
	text := err.Error()
	var api smithy.APIError
	var send *smithyhttp.RequestSendError
	switch {
	case errors.As(err, &api):
		text = api.ErrorCode() + ": " + api.ErrorMessage()
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer in time"
	case errors.As(err, &send):
		text = send.Err.Error()
	}
	for _, mark := range []string{"The Canonical String", "The canonical string", "The String-to-Sign"} {
		text, _, _ = strings.Cut(text, mark)
	}
	for _, c := range secrets {
		for _, secret := range []string{c.SecretAccessKey, c.SessionToken} {
			if secret != "" {
				text = strings.ReplaceAll(text, secret, "(redacted)")
			}
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}
