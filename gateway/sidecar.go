package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/signing"
)

// Sidecar configures POST /render, with which a fleet backend fills its documents.
type Sidecar struct {
	// Token is the bearer token that callers must send; nil: none, for Unix sockets and
	// loopback only.
	Token func() []byte
	// TCP says that the listener is TCP, not a Unix socket. Without a token, it then answers
	// only requests whose Host is a loopback name, against DNS rebinding by a web page.
	TCP bool
	// Roles are those that a call may name; DefaultRole and DefaultExpires are used if it
	// names none.
	Roles          []string
	DefaultRole    string
	DefaultExpires time.Duration
	// CodeSign allows code-sign placeholders in documents: they get existing signatures.
	CodeSign bool
}

// minSidecarExpires is the shortest lifetime that a call may ask for, as in presign.expires, or two quanta if those are
// longer.
const minSidecarExpires = time.Minute

// sidecar is a compiled Sidecar.
type sidecar struct {
	Sidecar
	allowed    map[string]sidecarRole
	minExpires time.Duration // the shortest that a call may ask for
	durations  *edge.Route
}

// sidecarRole is a role that a call may name.
type sidecarRole struct {
	options    jobdoc.Options
	maxExpires time.Duration
}

func newSidecar(h *Handler, c *Config) (*sidecar, error) {
	if c.Sidecar == nil {
		return nil, nil //nolint:nilnil // nil is off
	}
	s := &sidecar{
		Sidecar: *c.Sidecar, allowed: map[string]sidecarRole{}, durations: c.Metrics.Edge.Route("sidecar", c.Log),
		minExpires: max(minSidecarExpires, 2*c.Presign.Quantum),
	}
	for _, name := range c.Sidecar.Roles {
		options, err := h.options(c, name)
		if err != nil {
			return nil, fmt.Errorf("cannot serve the sidecar: %w", err)
		}
		if !h.permits.Lists(name) {
			return nil, fmt.Errorf("cannot serve the sidecar: role %q needs a list of the objects that may be signed; see presign.allow", name)
		}
		if c.Sidecar.CodeSign && c.CodeSign != nil {
			options.Signatures = c.CodeSign.Kept()
		}
		s.allowed[name] = sidecarRole{options: options, maxExpires: c.Rules[name].MaxExpires}
	}
	return s, nil
}

// ServeSidecar answers one request at the sidecar's listener.
func (h *Handler) ServeSidecar(ctx *fasthttp.RequestCtx) *edge.Route {
	x := exchanges.Get().(*exchange)
	x.now, x.who, x.durations = h.clock(ctx), identity{}, h.sidecar.durations
	defer h.finish(x)
	err := h.admit()
	if err == nil {
		err = h.serveSidecar(ctx, x)
	}
	if err != nil {
		h.refuse(ctx, x, err)
	}
	return x.durations
}

func (h *Handler) serveSidecar(ctx *fasthttp.RequestCtx, x *exchange) *Error {
	if err := h.sidecar.authenticate(ctx); err != nil {
		return err
	}
	if err := x.target.Parse(ctx.Request.Header.RequestURI()); err != nil {
		return errBadRequest("%v", err)
	}
	if string(x.target.Path()) != "/render" {
		return &Error{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "the sidecar answers POST /render only"}
	}
	if !ctx.IsPost() {
		ctx.Response.Header.Set("Allow", "POST")
		return errMethod("POST")
	}
	call, err := h.sidecar.parse(ctx)
	if err != nil {
		return err
	}
	call.At = h.signing.Time(x.now)
	if err := h.signOnce(ctx, x, &call.Order); err != nil {
		return err
	}
	ctx.Response.Header.SetContentTypeBytes(ctx.Request.Header.ContentType())
	ctx.Response.Header.SetCanonical(cacheControl, noStore)
	if call.lines {
		return h.renderLines(ctx, x, &call)
	}
	body, cause := jobdoc.Fill(ctx.Response.SwapBody(nil)[:0], ctx.Request.Body(), &call.options, &x.render)
	ctx.Response.SwapBody(body)
	if cause != nil {
		e := documentError(cause)
		if e.Status == http.StatusBadGateway {
			e.Status = http.StatusBadRequest // the caller's own document
		}
		return e
	}
	h.signing.CountFresh(&x.render)
	return nil
}

// authenticate accepts callers that send the token or, without one, local callers that
// are not a web page.
func (s *sidecar) authenticate(ctx *fasthttp.RequestCtx) *Error {
	if s.Token != nil {
		scheme, given, _ := bytes.Cut(ctx.Request.Header.Peek("Authorization"), []byte(" "))
		if !bytes.EqualFold(scheme, []byte("Bearer")) || !equalSecrets(bytes.TrimLeft(given, " "), s.Token()) { // RFC 9110 §11.1: the scheme is case-insensitive
			ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
			return errUnauthorized("a call needs the sidecar's token: Authorization: Bearer …")
		}
	} else if s.TCP && !isLoopbackHost(string(ctx.Request.Header.Host())) {
		return errForbidden("the sidecar answers loopback host names only, or callers with a token; see sidecar_token_file")
	}
	return nil
}

func isLoopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// sidecarCall holds the parameters in a call's query and headers.
type sidecarCall struct {
	signing.Order
	options jobdoc.Options
	lines   bool // NDJSON: a document a line
}

func (s *sidecar) parse(ctx *fasthttp.RequestCtx) (sidecarCall, *Error) {
	call := sidecarCall{lines: isNDJSON(ctx.Request.Header.ContentType())}
	if !call.lines && !jobdoc.IsJSON(ctx.Request.Header.ContentType()) {
		return call, &Error{
			Status: http.StatusUnsupportedMediaType, Code: "UnsupportedMediaType",
			Message: fmt.Sprintf("the content type must be application/json or application/x-ndjson, got %.80q", ctx.Request.Header.ContentType()),
		}
	}
	roleName, expires, parameters := "", "", map[string]string{}
	for key, value := range ctx.QueryArgs().All() {
		switch name := string(key); {
		case name == "thingName" || name == "jobId" || name == "executionNumber":
			if !validName(value) {
				return call, errBadRequest("%s must be 1 to %d of A-Z a-z 0-9 : _ . - and neither . nor ..; got %.140q", name, maxVariableBytes, value)
			}
			call.set(name, value)
		case name == "role":
			roleName = string(value)
		case name == "expires":
			expires = string(value)
		case strings.HasPrefix(name, "parameter."):
			parameters[strings.TrimPrefix(name, "parameter.")] = string(value)
		default:
			return call, errBadRequest("unknown query parameter %.80q; known are thingName, jobId, executionNumber, role, expires and parameter.NAME", name)
		}
	}
	if !ctx.QueryArgs().Has("role") {
		roleName = s.DefaultRole
	}
	allowed, known := s.allowed[roleName]
	if !known {
		return call, errForbidden(fmt.Sprintf("role %.80q is not one of the gateway's roles", roleName))
	}
	call.Role, call.options = roleName, allowed.options
	call.options.Parameters = parameters
	return call, s.setExpires(&call, expires, allowed.maxExpires)
}

func (c *sidecarCall) set(name string, value []byte) {
	switch name {
	case "thingName":
		c.Values.ThingName = value
	case "jobId":
		c.Values.JobID = value
	default:
		c.Values.ExecutionNumber = value
	}
}

func (s *sidecar) setExpires(call *sidecarCall, text string, most time.Duration) *Error {
	if text == "" {
		call.Expires = min(s.DefaultExpires, most)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < s.minExpires || d > most {
		return errBadRequest("expires must be a duration from %v to %v, the role's max_expires, such as 15m; got %.40q", s.minExpires, most, text)
	}
	call.Expires = d
	return nil
}

// renderLines fills one document per line. A line that cannot be filled is replaced by
// an error of the usual shape; the others are still filled.
func (h *Handler) renderLines(ctx *fasthttp.RequestCtx, x *exchange, call *sidecarCall) *Error {
	dst := ctx.Response.SwapBody(nil)[:0]
	for line := range bytes.Lines(ctx.Request.Body()) {
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if len(dst) > h.limits.MaxRendered {
			ctx.Response.SwapBody(dst)
			return errTooLarge("the answer", h.limits.MaxRendered, "limits.max_rendered")
		}
		x.render.Signed, x.render.LongestURL = 0, 0 // of this line
		var err error
		if dst, err = jobdoc.Fill(dst, line, &call.options, &x.render); err != nil {
			dst = documentError(err).AppendBody(dst)
		} else {
			h.signing.CountFresh(&x.render)
		}
		dst = append(dst, '\n')
	}
	ctx.Response.SwapBody(dst)
	return nil
}

func isNDJSON(contentType []byte) bool {
	mediaType, _, _ := bytes.Cut(contentType, []byte(";"))
	mediaType = bytes.TrimSpace(mediaType)
	return bytes.EqualFold(mediaType, []byte("application/x-ndjson")) || bytes.EqualFold(mediaType, []byte("application/jsonl"))
}

// documentError is the answer for a document that cannot be filled: 502, or 400 if a
// value of the device's path is the cause. Its text names the placeholder and its
// position, but no credential.
func documentError(err error) *Error {
	var e *jobdoc.Error
	switch {
	case errors.Is(err, jobdoc.ErrValue):
		return &Error{Status: http.StatusBadRequest, Code: "InvalidRequest", Message: err.Error()}
	case errors.Is(err, jobdoc.ErrNotSigned):
		return errUnavailable("the signature of a code file is not available now", time.Second, err)
	case errors.As(err, &e):
		return errDocument(e.Error(), nil)
	default:
		return edge.FaultOf(err)
	}
}
