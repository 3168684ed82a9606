package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// Config configures a Proxy.
type Config struct {
	Upstreams []string // base URLs, "http://host:port"; one at least
	Limits    Limits
	// IdentityHeader is the name of the header that carries the authenticated device to an upstream; "": none. A
	// device's own header of that name is never forwarded.
	IdentityHeader string
	// Unfilled, if not nil, is called for each answer of a fill route that could not be filled. The second argument
	// reports whether the answer was forwarded.
	Unfilled func(Reason, bool)
}

// Limits are the limits of one request.
type Limits struct {
	UpstreamTimeout time.Duration // for connecting, and for each wait for the upstream
	ReadTimeout     time.Duration // for each wait for a part of a request's body; 0: the connection's
	MaxBody         int           // bytes of a request's body
	MaxDocument     int           // bytes of an answer to be filled
	MaxHeld         int           // bytes of an answer that must be read whole for an HTTP/1.0 device
}

// Proxy forwards requests to upstreams. It is safe for concurrent use.
type Proxy struct {
	limits         Limits
	balancer       *balancer
	rules          map[string]rule
	identityHeader string
	unfilled       func(Reason, bool)
}

// upstreamBuffer is the size of a connection's buffers, in bytes.
const upstreamBuffer = 16 << 10

// New returns a Proxy to c's upstreams. It makes no connection.
func New(c Config) (*Proxy, error) {
	if len(c.Upstreams) == 0 {
		return nil, errors.New("cannot create a proxy: no upstream")
	}
	b, err := newBalancer(c.Upstreams, c.Limits.UpstreamTimeout, upstreamBuffer)
	if err != nil {
		return nil, err
	}
	p := &Proxy{limits: c.Limits, balancer: b, rules: rules(c.IdentityHeader), identityHeader: c.IdentityHeader, unfilled: c.Unfilled}
	if p.unfilled == nil {
		p.unfilled = func(Reason, bool) {}
	}
	return p, nil
}

// Close closes the idle connections. Connections in use are closed after their requests.
func (p *Proxy) Close() { p.balancer.close() }

// Request says how to forward one request.
type Request struct {
	Now      time.Time // the clock, read once per request
	Target   []byte    // the request's, in origin form (RFC 9112 §3.2.1): "/path?query"
	Identity []byte    // the authenticated device; empty: none. Valid during Serve
	Trusted  bool      // the peer's X-Forwarded-* headers are trusted
	Fill     Filler    // fills the answer; nil: it is forwarded unchanged
	// PassUnfilled forwards an answer that cannot be filled, unchanged. Otherwise it becomes a 502.
	PassUnfilled bool
	// TraceParent and TraceState replace the device's W3C headers of those names; "": the device's are forwarded.
	TraceParent, TraceState string
}

// Filler fills the placeholders of an answer.
type Filler interface {
	// Fill appends document, which contains at least one placeholder, to dst with all placeholders filled. On an error
	// it returns dst unchanged.
	Fill(dst, document []byte) ([]byte, *edge.Fault)
}

// exchange is the scratch space of one request, pooled.
type exchange struct {
	head      []byte   // headers for the upstream
	buf       []byte   // bytes of the next write
	tokens    [][]byte // header names in Connection
	forwarded []byte   // X-Forwarded-For
	document  []byte   // an answer to be filled
	upload    upload
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// Serve forwards ctx's request to an upstream and the answer to ctx's response. If it returns a Fault, the response holds
// nothing of the upstream's answer.
func (p *Proxy) Serve(ctx *fasthttp.RequestCtx, r *Request) *edge.Fault {
	switch string(ctx.Method()) {
	case fasthttp.MethodConnect, fasthttp.MethodTrace:
		return errMethod()
	}
	x := exchanges.Get().(*exchange)
	defer x.free()
	f := x.upload.open(ctx, &p.limits)
	if f != nil {
		return f
	}
	x.head = p.appendHead(x.head[:0], ctx, x, r)
	c, err := p.try(ctx, x, r)
	if err == nil {
		f = p.answer(ctx, x, r, c)
	} else {
		f = upstreamFault(err)
	}
	if f != nil {
		ctx.Response.Reset() // an error of the gateway has none of the upstream's headers
	}
	return f
}

func (x *exchange) free() {
	x.upload.source, x.upload.ctx = nil, nil
	clear(x.tokens[:cap(x.tokens)])
	exchanges.Put(x)
}

// maxAttempts bounds how often a request is sent: enough to survive a closed connection and a failed upstream, without
// flooding a dead backend.
const maxAttempts = 3

// try sends the request to one upstream after another until one answers or no retry is allowed. It returns the connection,
// with the answer's head in ctx's response and its body still to be read.
//
// A request is retried, on a new connection, if nothing of it was written or its method is idempotent (RFC 9110 §9.2.2), but
// never after a time-out.
func (p *Proxy) try(ctx *fasthttp.RequestCtx, x *exchange, r *Request) (*conn, error) {
	var last *upstream
	for attempt := 1; ; attempt++ {
		u := p.balancer.pick(r.Now, last)
		x.buf = append(appendFirstLine(x.buf[:0], ctx.Method(), r.Target, u), x.head...)
		c, sent, err := x.attempt(ctx, u, attempt > 1)
		if err == nil {
			u.succeeded()
			return c, nil
		}
		var upload *uploadError
		if errors.As(err, &upload) {
			return nil, err // the device's fault, not u's
		}
		u.failed(time.Now())
		again := !isTimeout(err) && (!sent || idempotent(ctx.Method()))
		if !again || attempt == maxAttempts || !x.upload.rewind() {
			return nil, err
		}
		last = u
	}
}

// idempotent reports whether a request may be sent twice (RFC 9110 §9.2.2).
func idempotent(method []byte) bool {
	switch string(method) {
	case fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodOptions, fasthttp.MethodPut, fasthttp.MethodDelete:
		return true
	}
	return false
}

// attempt sends the request, whose head is in x.buf, to u and reads the head of the answer. sent reports whether any of the
// request was written.
func (x *exchange) attempt(ctx *fasthttp.RequestCtx, u *upstream, fresh bool) (_ *conn, sent bool, err error) {
	c, err := u.connect(fresh)
	if err != nil {
		return nil, false, err
	}
	c.begin()
	x.buf, err = x.upload.send(c, x.buf, len(x.buf))
	broken := err
	if err == nil || c.mayHaveAnswered(err) {
		err = c.readHead(ctx)
	}
	if err == nil {
		c.reusable = c.reusable && broken == nil
		return c, true, nil
	}
	sent = c.sent > 0
	c.end(false)
	return nil, sent, cause(broken, err)
}

// mayHaveAnswered reports whether there may be an answer although sending failed with err: an upstream may reject a
// request before it has read all of it, and close (RFC 9112 §9.3).
func (c *conn) mayHaveAnswered(err error) bool {
	var upload *uploadError
	return c.sent > 0 && !errors.As(err, &upload) && !isTimeout(err)
}

// cause returns the first error, if there is one: it caused the second.
func cause(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

// readHead reads the head of the final answer into ctx's response (RFC 9110 §15.2) and prepares c.body.
func (c *conn) readHead(ctx *fasthttp.RequestCtx) error {
	h := &ctx.Response.Header
	for range maxInterim {
		if err := h.Read(c.reader); err != nil {
			if errors.Is(err, io.EOF) {
				err = errCut
			}
			return err
		}
		switch code := h.StatusCode(); {
		case code == fasthttp.StatusSwitchingProtocols:
			return errSwitched
		case code < 100:
			return fmt.Errorf("the upstream's status is %d", code)
		case code >= 200:
			return c.open(ctx)
		}
	}
	return errInterim
}

// maxInterim is the number of interim answers after which the upstream is given up.
const maxInterim = 16

var (
	errSwitched = errors.New("the upstream answered 101 Switching Protocols, which was not requested")
	errInterim  = fmt.Errorf("the upstream sent %d interim answers and no final one", maxInterim)
	errSpace    = errors.New("a header name in the upstream's answer contains a space (RFC 9112 §5.1)")
)

// open checks the head of an answer, removes its hop-by-hop headers (RFC 9110 §7.6.1), and prepares c.body.
func (c *conn) open(ctx *fasthttp.RequestCtx) error {
	h := &ctx.Response.Header
	var drop dropped
	for name, value := range h.All() {
		if spaced(name) {
			return errSpace
		}
		if drop.add(name) && string(name) == fasthttp.HeaderKeepAlive {
			c.noteKeepAlive(value)
		}
	}
	c.reusable = !h.ConnectionClose()
	c.body = body{r: c.reader, framing: closing}
	switch length := h.ContentLength(); {
	case ctx.IsHead() || bodiless(h.StatusCode()):
		c.body = body{r: c.reader, ended: true}
	case length >= 0:
		c.body.framing, c.body.left = fixed, length
	case length == -1:
		c.body.framing = chunked
	default:
		c.reusable = false
	}
	drop.remove(h)
	h.SetNoDefaultContentType(true)
	h.SetProtocol(protocol) // the gateway's own version (RFC 9112 §2.3)
	return nil
}

func bodiless(status int) bool {
	return status == fasthttp.StatusNoContent || status == fasthttp.StatusNotModified
}

// dropped is a set of an answer's headers that are not forwarded. Bit i stands for droppedNames[i].
type dropped uint8

var droppedNames = [...]string{"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Trailer", "Upgrade"}

// add adds a header to the set if it must be dropped, and reports whether it must. Most headers are forwarded, so
// checking each once is cheaper than deleting absent ones.
func (d *dropped) add(name []byte) bool {
	for i, known := range droppedNames {
		if string(name) == known {
			*d |= 1 << i
			return true
		}
	}
	return false
}

// remove deletes the set's headers, and those that Connection lists, from h.
func (d dropped) remove(h *fasthttp.ResponseHeader) {
	if d&1 != 0 {
		var names []string
		for _, token := range connectionTokens(nil, h.PeekAll(fasthttp.HeaderConnection)) {
			names = append(names, string(token))
		}
		for _, name := range names {
			if !describesBody(name) {
				h.Del(name)
			}
		}
	}
	for i, name := range droppedNames {
		if d&(1<<i) != 0 {
			h.Del(name)
		}
	}
	h.ResetConnectionClose()
}

// describesBody reports whether a header is needed to read the body. Such a header is kept even if Connection lists it.
func describesBody(name string) bool {
	for _, known := range []string{fasthttp.HeaderContentLength, fasthttp.HeaderTransferEncoding, fasthttp.HeaderContentType, fasthttp.HeaderContentEncoding} {
		if bytes.EqualFold([]byte(known), []byte(name)) {
			return true
		}
	}
	return false
}

var protocol = []byte("HTTP/1.1")
