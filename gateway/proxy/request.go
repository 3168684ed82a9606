package proxy

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// noLength is the length of a chunked body, noBody that of a request without a body.
const (
	noLength = -1
	noBody   = -2
)

// appendHead appends the head of the upstream's request without the request line and Host, which differ from upstream to
// upstream.
func (p *Proxy) appendHead(dst []byte, ctx *fasthttp.RequestCtx, x *exchange, r *Request) []byte {
	in := &ctx.Request.Header
	x.tokens = connectionTokens(x.tokens[:0], in.PeekAll(fasthttp.HeaderConnection))
	x.forwarded = x.forwarded[:0]
	has := present{}
	for name, value := range in.AllInOrder() {
		has.note(name)
		switch rule := p.ruleOf(name); {
		case rule == hop, rule == own, rule == partial && r.Fill != nil, rule == trusted && !r.Trusted, rule == traced && r.TraceParent != "":
			continue
		case len(x.tokens) > 0 && listed(x.tokens, name):
			continue
		case rule == trusted && string(name) == forwardedFor:
			x.forwarded = append(append(x.forwarded, value...), ", "...)
			continue
		}
		dst = append(append(dst, name...), ": "...)
		dst = append(append(dst, value...), crlf...)
	}
	return p.appendOwn(dst, ctx, x, r, has)
}

// present records which headers the device or its proxy sent.
type present struct{ proto, host, length bool }

func (s *present) note(name []byte) {
	switch string(name) {
	case forwardedProto:
		s.proto = true
	case forwardedHost:
		s.host = true
	case fasthttp.HeaderContentLength:
		s.length = true
	}
}

const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedHost  = "X-Forwarded-Host"

	headerTraceParent = "Traceparent" // W3C Trace Context
	headerTraceState  = "Tracestate"
)

// appendOwn appends the gateway's own headers (forwarding, identity, trace, framing) and the empty line.
func (p *Proxy) appendOwn(dst []byte, ctx *fasthttp.RequestCtx, x *exchange, r *Request, has present) []byte {
	if peer := edge.PeerAddr(ctx.RemoteAddr()); peer.IsValid() {
		x.forwarded = peer.AppendTo(x.forwarded)
	} else {
		x.forwarded = bytes.TrimSuffix(x.forwarded, []byte(", "))
	}
	if len(x.forwarded) > 0 {
		dst = appendField(dst, forwardedFor, x.forwarded)
	}
	if !has.proto || !r.Trusted {
		scheme := schemeHTTP
		if ctx.IsTLS() {
			scheme = schemeHTTPS
		}
		dst = appendField(dst, forwardedProto, scheme)
	}
	if !has.host || !r.Trusted {
		dst = appendField(dst, forwardedHost, hostOf(&ctx.Request.Header))
	}
	if p.identityHeader != "" && len(r.Identity) > 0 {
		dst = appendField(dst, p.identityHeader, r.Identity)
	}
	if r.TraceParent != "" {
		dst = append(append(append(dst, headerTraceParent+": "...), r.TraceParent...), crlf...)
		if r.TraceState != "" {
			dst = append(append(append(dst, headerTraceState+": "...), r.TraceState...), crlf...)
		}
	}
	switch {
	case x.upload.length == 0 && !has.length && !wantsLength(ctx.Method()):
	case x.upload.length >= 0:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(x.upload.length), 10)
		dst = append(dst, crlf...)
	case x.upload.length == noLength:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(dst, crlf...)
}

// appendFirstLine appends the request line (RFC 9112 §3) and Host. The version is the gateway's own (RFC 9110 §6.2).
func appendFirstLine(dst, method, target []byte, u *upstream) []byte {
	dst = append(append(dst, method...), ' ')
	dst = append(append(dst, target...), " HTTP/1.1\r\nHost: "...)
	return append(append(dst, u.host...), crlf...)
}

// hostOf returns the host that a request is for: Host, or that of an absolute-form target, which takes precedence
// (RFC 9112 §3.2.2).
func hostOf(h *fasthttp.RequestHeader) []byte {
	uri := h.RequestURI()
	if len(uri) > 0 && uri[0] != '/' {
		if _, rest, ok := bytes.Cut(uri, []byte("://")); ok {
			if end := bytes.IndexAny(rest, "/?"); end >= 0 {
				rest = rest[:end]
			}
			return rest
		}
	}
	return h.Host()
}

var (
	schemeHTTP  = []byte("http")
	schemeHTTPS = []byte("https")
)
