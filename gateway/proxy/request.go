package proxy

import (
	"bytes"
	"strconv"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// noLength is the length of a body that comes in chunks, noBody that of none.
const (
	noLength = -1
	noBody   = -2
)

// appendHead appends all of the head of the request to u but its first line and Host, which differ from upstream to
// upstream, and leaves in x how long the body is.
func (p *Proxy) appendHead(dst []byte, ctx *fasthttp.RequestCtx, x *exchange, r *Request) []byte {
	in := &ctx.Request.Header
	x.tokens = connectionTokens(x.tokens[:0], in.PeekAll(fasthttp.HeaderConnection))
	x.forwarded = x.forwarded[:0]
	said := seen{}
	for name, value := range in.AllInOrder() {
		said.note(name)
		switch rule := p.ruleOf(name); {
		case rule == hop, rule == ours, rule == partial && r.Fill != nil, rule == believed && !r.Trusted, rule == traced && r.TraceParent != "":
			continue
		case len(x.tokens) > 0 && listed(x.tokens, name):
			continue
		case rule == believed && string(name) == forwardedFor:
			x.forwarded = append(append(x.forwarded, value...), ", "...)
			continue
		}
		dst = append(append(dst, name...), ": "...)
		dst = append(append(dst, value...), crlf...)
	}
	return p.appendOwn(dst, ctx, x, r, said)
}

// seen are headers that the device or its proxy has sent.
type seen struct{ proto, host, length bool }

func (s *seen) note(name []byte) {
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

// appendOwn appends what the gateway says of the request: who asked, how, and how long the body is.
func (p *Proxy) appendOwn(dst []byte, ctx *fasthttp.RequestCtx, x *exchange, r *Request, said seen) []byte {
	if peer := edge.PeerAddr(ctx.RemoteAddr()); peer.IsValid() {
		x.forwarded = peer.AppendTo(x.forwarded)
	} else {
		x.forwarded = bytes.TrimSuffix(x.forwarded, []byte(", "))
	}
	if len(x.forwarded) > 0 {
		dst = appendField(dst, forwardedFor, x.forwarded)
	}
	if !said.proto || !r.Trusted {
		scheme := schemeHTTP
		if ctx.IsTLS() {
			scheme = schemeHTTPS
		}
		dst = appendField(dst, forwardedProto, scheme)
	}
	if !said.host || !r.Trusted {
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
	case x.upload.length == 0 && !said.length && !wantsLength(ctx.Method()):
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

// hostOf returns the host that a request is for: that of an absolute-form target, whatever Host says (RFC 9112 §3.2.2).
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
