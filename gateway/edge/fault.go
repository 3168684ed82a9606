package edge

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

// Fault is an error answer. Message goes to the client and never contains a secret, a local path or a Go type; Err goes to
// the log.
type Fault struct {
	Status     int
	Code       string        // AWS's name without "Exception": "ResourceNotFound"
	Message    string        // what is wrong, with the value and the limit
	RetryAfter time.Duration // > 0: sent as Retry-After, with jitter
	Err        error         // the cause; nil if Message says it all

	body []byte // AppendBody's result, if made by Ready; never changed
}

// Ready returns a copy of f with its body encoded in advance, for a very frequent fault. The copy's Code and Message must not
// change.
func (f *Fault) Ready() *Fault {
	ready := *f
	ready.body = f.AppendBody(nil)
	return &ready
}

// Error returns the text for the log.
func (f *Fault) Error() string {
	if f.Err == nil {
		return f.Code + ": " + f.Message
	}
	return f.Code + ": " + f.Message + ": " + f.Err.Error()
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// FaultOf returns the Fault that err is or wraps. Any other err, also nil, is an internal failure, 500.
func FaultOf(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return &Fault{Status: http.StatusInternalServerError, Code: "InternalFailure", Message: "the gateway failed; its log says why", Err: err}
}

// The headers of faults, as fasthttp spells them.
const (
	HeaderErrorType  = "X-Amzn-Errortype"
	HeaderRequestID  = "X-Amzn-Requestid"
	headerRetryAfter = "Retry-After"
)

// Write writes f as the answer, {"code":…,"message":…}, with a new request id, which it returns for the log. Headers set
// before are kept.
func (f *Fault) Write(ctx *fasthttp.RequestCtx) (requestID string) {
	body := f.body
	if body == nil {
		body = f.AppendBody(nil)
	}
	return f.write(ctx, body)
}

// WriteException writes f as the answer in the shape of AWS's APIs, {"message":…}, otherwise like Write. members, if not nil,
// appends further members, each after a comma. WriteException discards what was set in the response before.
func (f *Fault) WriteException(ctx *fasthttp.RequestCtx, members func(dst []byte) []byte) (requestID string) {
	ctx.Response.Reset()
	body := appendString([]byte(`{"message":`), f.Message)
	if members != nil {
		body = members(body)
	}
	return f.write(ctx, append(body, '}'))
}

// AppendBody appends the body that Write sends.
func (f *Fault) AppendBody(dst []byte) []byte {
	if f.body != nil {
		return append(dst, f.body...)
	}
	dst = appendString(append(dst, `{"code":`...), f.Code)
	dst = appendString(append(dst, `,"message":`...), f.Message)
	return append(dst, '}')
}

// write answers with an immutable body.
func (f *Fault) write(ctx *fasthttp.RequestCtx, body []byte) (requestID string) {
	requestID = NewRequestID()
	r := &ctx.Response
	r.ResetBody()
	r.SetStatusCode(f.Status)
	r.Header.SetContentType("application/json")
	r.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	r.Header.Set(HeaderErrorType, f.Code+"Exception")
	r.Header.Set(HeaderRequestID, requestID)
	if f.RetryAfter > 0 {
		r.Header.Set(headerRetryAfter, RetryAfter(f.RetryAfter))
	}
	r.SetBodyRaw(body)
	return requestID
}

// NewRequestID returns a random UUID (RFC 9562 §5.4). Request ids protect nothing, so a cheap generator is enough:
// uuid.NewString would call the kernel for each.
func NewRequestID() string {
	var id uuid.UUID
	binary.LittleEndian.PutUint64(id[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4, the RFC's variant
	return id.String()
}

// appendString appends s as a JSON string, without escapes for HTML.
func appendString(dst []byte, s string) []byte {
	b := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// RetryAfter returns a random number of whole seconds between d and twice d, so that a fleet that was rejected together does
// not retry together. d must be positive.
func RetryAfter(d time.Duration) string {
	d += rand.N(d)
	return strconv.FormatInt(max(1, int64(d.Round(time.Second)/time.Second)), 10)
}
