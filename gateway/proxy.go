package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/valyala/fasthttp"
)

// proxy passes the request to an upstream and its answer back, in ctx's own response.
// What it forwards: the method, the path and query as sent, the body, and every header
// but hop-by-hop ones (RFC 9110 §7.6.1); Host becomes the upstream's, and X-Forwarded-*
// say what it was. A body in either direction is streamed, never kept.
//
// A request is tried again, on another upstream if there is one, when nothing of it was
// sent, or when its method is safe (RFC 9110 §9.2.1) and it has no body.
func (h *Handler) proxy(ctx *fasthttp.RequestCtx, x *exchange, r *route) *Error {
	if h.upstreams == nil {
		return errNotFound(nil)
	}
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	if err := h.forward(ctx, x, req, r != nil); err != nil {
		return err
	}
	answer := &ctx.Response
	if r != nil {
		answer = fasthttp.AcquireResponse()
	}
	if err := h.try(ctx, x, req, answer); err != nil {
		answer.Reset()
		return upstreamError(err)
	}
	answer.Header.SetNoDefaultContentType(true)
	answer.Header.SetProtocol(protocol) // not the upstream's, RFC 9112 §2.3
	var drop unforwarded
	for name := range answer.Header.All() {
		drop.add(name, false)
	}
	drop.remove(&answer.Header)
	var err *Error
	if r != nil {
		err = h.fill(ctx, x, r, answer)
	}
	if err == nil {
		err = h.unchunk(ctx)
	}
	if err != nil {
		ctx.Response.Header.Reset() // nothing of the upstream's belongs to an error of ours
	}
	return err
}

// unchunk reads an answer of unknown length before it is sent to a device that speaks
// HTTP/1.0: chunks are not for that (RFC 9112 §6.1).
func (h *Handler) unchunk(ctx *fasthttp.RequestCtx) *Error {
	answer := &ctx.Response
	if ctx.Request.Header.IsHTTP11() || answer.BodyStream() == nil || answer.Header.ContentLength() >= 0 {
		return nil
	}
	body, err := appendLimited(nil, answer.BodyStream(), h.limits.MaxRendered+1)
	switch {
	case err != nil:
		return upstreamError(err)
	case len(body) > h.limits.MaxRendered:
		return &Error{
			Status: http.StatusHTTPVersionNotSupported, Code: "HTTPVersionNotSupported",
			Message: fmt.Sprintf("the upstream's answer is longer than %d bytes, the gateway's limits.max_rendered, and does not say how long; ask with HTTP/1.1", h.limits.MaxRendered),
		}
	}
	answer.SetBody(body)
	return nil
}

// try sends req to one upstream after the other until one answers or nothing is left
// that may be tried.
func (h *Handler) try(ctx *fasthttp.RequestCtx, x *exchange, req *fasthttp.Request, answer *fasthttp.Response) error {
	repeatable := !ctx.Request.IsBodyStream() && len(ctx.Request.Body()) == 0 && safeMethod(ctx.Method())
	var last *upstream
	for attempt := 1; ; attempt++ {
		u := h.upstreams.pick(x.now, last)
		x.target = appendTarget(x.target[:0], u, x.asked.Origin())
		req.SetRequestURIBytes(x.target)
		req.Header.SetHost(u.host)
		answer.StreamBody = true
		err := u.do(req, answer)
		if err == nil {
			u.worked()
			return nil
		}
		var upload *uploadError
		if errors.As(err, &upload) {
			return err // the device's fault, not u's
		}
		u.failed(time.Now())
		again := !isTimeout(err) && (repeatable || notSent(err))
		if !again || attempt == maxAttempts {
			return err
		}
		last = u
	}
}

// maxAttempts is how often a request is sent at most: a stale connection and an
// upstream that has just gone away are survived, a dead backend is not flooded.
const maxAttempts = 3

// upstreamError answers for an upstream that did not, or that the device kept from it.
func upstreamError(err error) *Error {
	var upload *uploadError
	switch {
	case errors.As(err, &upload):
		return upload.answer
	case isTimeout(err):
		return &Error{Status: http.StatusGatewayTimeout, Code: "GatewayTimeout", Message: "the upstream did not answer in time", Err: err}
	case notSent(err):
		return errUnavailable("the upstream cannot be reached", time.Second, err)
	default:
		return &Error{Status: http.StatusBadGateway, Code: "BadGateway", Message: "the upstream broke off or gave no valid answer", Err: err}
	}
}

func safeMethod(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS":
		return true
	}
	return false
}

// appendTarget appends the URL of a request at u: the device's own request target, in
// origin form (RFC 9112 §3.2.1).
func appendTarget(dst []byte, u *upstream, target []byte) []byte {
	dst = append(dst, "http://"...) // TLS is the connection's own matter, see upstream.secure
	dst = append(dst, u.host...)
	return append(dst, target...)
}

// forward fills req with what goes to the upstream.
func (h *Handler) forward(ctx *fasthttp.RequestCtx, x *exchange, req *fasthttp.Request, fill bool) *Error {
	in := &ctx.Request
	if bytes.Equal(in.Header.Method(), methodConnect) || bytes.Equal(in.Header.Method(), methodTrace) {
		return errMethod("those that may pass")
	}
	in.Header.CopyTo(&req.Header)
	req.Header.SetNoDefaultContentType(true)
	var drop unforwarded
	for name := range in.Header.All() {
		// What is filled will differ from what the upstream keeps: nothing of it may be
		// conditional, partial or compressed.
		drop.add(name, fill)
	}
	drop.remove(&req.Header)
	h.setForwarded(ctx, x, &req.Header)
	if !in.IsBodyStream() {
		req.SetBodyRaw(in.Body())
		return nil
	}
	body := &uploadReader{ctx: ctx, body: ctx.RequestBodyStream(), wait: h.limits.ReadTimeout, left: int64(h.limits.MaxBody), limit: h.limits.MaxBody}
	length := in.Header.ContentLength()
	if length > h.limits.MaxBody {
		return errTooLarge("the body", h.limits.MaxBody, "limits.max_body")
	}
	req.SetBodyStream(body, length)
	return nil
}

// setForwarded says who asked and how. What an untrusted peer says of that is dropped.
func (h *Handler) setForwarded(ctx *fasthttp.RequestCtx, x *exchange, header *fasthttp.RequestHeader) {
	trusted := len(h.auth.TrustedProxies) > 0 && h.trusted(ctx)
	x.forwarded = x.forwarded[:0]
	if known := header.PeekCanonical(xForwardedFor); trusted && len(known) > 0 {
		x.forwarded = append(append(x.forwarded, known...), ", "...)
	}
	if peer := peerAddr(ctx.RemoteAddr()); peer.IsValid() {
		x.forwarded = peer.AppendTo(x.forwarded)
	}
	if len(x.forwarded) > 0 {
		header.SetCanonical(xForwardedFor, x.forwarded)
	} else {
		header.DelBytes(xForwardedFor)
	}
	if !trusted || len(header.PeekCanonical(xForwardedProto)) == 0 {
		header.SetCanonical(xForwardedProto, scheme(ctx))
	}
	if !trusted || len(header.PeekCanonical(xForwardedHost)) == 0 {
		header.SetCanonical(xForwardedHost, ctx.Request.Header.Host())
	}
	if !trusted {
		header.DelBytes(forwardedName)
	}
	h.setIdentity(x, header)
}

// setIdentity tells the upstream who the device is proven to be; what the device
// itself says of that never passes.
func (h *Handler) setIdentity(x *exchange, header *fasthttp.RequestHeader) {
	if h.auth.Header == "" {
		return
	}
	switch {
	case x.who.bytes != nil: // AuthHeader: it may have been removed, as one that Connection names
		header.SetBytesV(h.auth.Header, x.who.bytes)
	case x.who.text != "":
		header.Set(h.auth.Header, x.who.text)
	default:
		header.Del(h.auth.Header)
	}
}

func scheme(ctx *fasthttp.RequestCtx) []byte {
	if ctx.IsTLS() {
		return schemeHTTPS
	}
	return schemeHTTP
}

// unforwarded is a set of headers that do not pass, as bits: indices into unforwardedNames.
type unforwarded uint32

// add puts a header into the set if it is hop-by-hop or, with conditional, one of those
// that a fill route keeps from the upstream. Most headers are neither, so that looking
// at each once is cheaper than deleting what is not there.
func (u *unforwarded) add(name []byte, conditional bool) {
	for i, known := range unforwardedNames {
		if len(name) == len(known) && string(name) == known {
			if i < firstConditional || conditional {
				*u |= 1 << i
			}
			return
		}
	}
}

// headers is what both kinds of fasthttp's header sets can do.
type headers interface {
	PeekBytes(key []byte) []byte
	Del(key string)
	ResetConnectionClose()
}

// remove deletes the set's headers from h, and those that Connection names (RFC 9110 §7.6.1).
func (u unforwarded) remove(h headers) {
	if u&1 != 0 {
		for name := range bytes.SplitSeq(bytes.Clone(h.PeekBytes(connectionName)), comma) {
			if name = bytes.TrimSpace(name); len(name) > 0 {
				h.Del(string(name))
			}
		}
	}
	for i, name := range unforwardedNames {
		if u&(1<<i) != 0 {
			h.Del(name)
		}
	}
	h.ResetConnectionClose()
}

// unforwardedNames are hop-by-hop headers (RFC 9110 §7.6.1) up to firstConditional, and
// then those that ask for less than the whole plain answer.
var unforwardedNames = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Upgrade", "Expect",
	"Accept-Encoding", "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
}

const firstConditional = 9

var (
	protocol        = []byte("HTTP/1.1")
	methodConnect   = []byte("CONNECT")
	methodTrace     = []byte("TRACE")
	comma           = []byte(",")
	connectionName  = []byte("Connection")
	forwardedName   = []byte("Forwarded")
	xForwardedFor   = []byte("X-Forwarded-For")
	xForwardedProto = []byte("X-Forwarded-Proto")
	xForwardedHost  = []byte("X-Forwarded-Host")
	schemeHTTP      = []byte("http")
	schemeHTTPS     = []byte("https")
)

// uploadReader streams a request body to the upstream: every read has its own deadline,
// and no more than limit bytes pass.
type uploadReader struct {
	ctx   *fasthttp.RequestCtx
	body  io.Reader
	wait  time.Duration
	left  int64
	limit int
}

func (r *uploadReader) Read(p []byte) (int, error) {
	if r.wait > 0 {
		if err := r.ctx.SetReadDeadline(time.Now().Add(r.wait)); err != nil {
			return 0, &uploadError{errBadRequest("the connection is gone")}
		}
	}
	n, err := r.body.Read(p)
	switch r.left -= int64(n); {
	case r.left < 0:
		return 0, &uploadError{errTooLarge("the body", r.limit, "limits.max_body")}
	case err == nil, err == io.EOF && !cutOff(r.ctx):
		return n, err
	case isTimeout(err):
		return n, &uploadError{errTimeout()}
	default:
		return n, &uploadError{errBadRequest("the body broke off, or its chunks are not valid HTTP/1.1")}
	}
}

// uploadError says that a request could not be sent whole because the device did not send it.
type uploadError struct{ answer *Error }

func (e *uploadError) Error() string { return e.answer.Error() }
