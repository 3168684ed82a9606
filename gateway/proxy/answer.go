package proxy

import (
	"bytes"
	"io"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// answer writes the upstream's answer on c to ctx. It takes over c.
func (p *Proxy) answer(ctx *fasthttp.RequestCtx, x *exchange, r *Request, c *conn) *edge.Fault {
	if err := c.body.first(); err != nil {
		c.end(false)
		return upstreamFault(err)
	}
	if r.Fill != nil {
		return p.fill(ctx, x, r, c)
	}
	return p.pass(ctx, c, nil)
}

// pass forwards c's answer unchanged. prefix is the part of its body that was read already.
func (p *Proxy) pass(ctx *fasthttp.RequestCtx, c *conn, prefix []byte) *edge.Fault {
	response := &ctx.Response
	length := response.Header.ContentLength()
	switch {
	case c.body.ended:
		c.end(c.reusable)
		if !ctx.IsHead() && !bodiless(response.StatusCode()) {
			response.Header.SetContentLength(0)
			response.SwapBody(append(response.SwapBody(nil)[:0], prefix...))
		}
		return nil
	case c.body.framing == fixed && len(prefix) == 0 && c.body.left <= c.reader.Buffered():
		// Fast path: the body has arrived, so c is free before the device reads it.
		data, _ := c.reader.Peek(c.body.left)
		response.SwapBody(append(response.SwapBody(nil)[:0], data...))
		_, _ = c.reader.Discard(len(data))
		c.end(c.reusable)
		return nil
	}
	s := &stream{conn: c, prefix: bytes.Clone(prefix)}
	if c.body.framing != fixed && !ctx.Request.Header.IsHTTP11() {
		return p.hold(ctx, s)
	}
	response.SetBodyStream(s, max(length, -1)) // -2, a body that ends with its connection, becomes -1: chunked
	return nil
}

// hold reads a whole answer of unknown length for an HTTP/1.0 device, which must not be sent chunks (RFC 9112 §6.1).
func (p *Proxy) hold(ctx *fasthttp.RequestCtx, s *stream) *edge.Fault {
	body, err := edge.AppendLimited(nil, s, p.limits.MaxHeld+1)
	_ = s.Close()
	switch {
	case err != nil:
		return upstreamFault(err)
	case len(body) > p.limits.MaxHeld:
		return errVersion(p.limits.MaxHeld)
	}
	ctx.Response.SetBodyRaw(body)
	return nil
}

// stream is the body of an answer: the prefix that was read already, then the rest.
type stream struct {
	prefix []byte
	conn   *conn // nil: closed
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.prefix) > 0 {
		n := copy(p, s.prefix)
		s.prefix = s.prefix[n:]
		return n, nil
	}
	if s.conn == nil {
		return 0, io.ErrClosedPipe
	}
	return s.conn.body.Read(p)
}

// Close is called by fasthttp when the answer is written, or writing fails. It returns the connection to its pool or closes
// it.
func (s *stream) Close() error {
	if c := s.conn; c != nil {
		s.conn = nil
		c.end(c.reusable && c.body.ended)
	}
	return nil
}

// noteKeepAlive records how long the upstream keeps idle connections (Keep-Alive: timeout=5). The connection is not used in
// the last second of that time (half a second of one), because the upstream might close it during a request.
func (c *conn) noteKeepAlive(keepAlive []byte) {
	for part := range bytes.SplitSeq(keepAlive, comma) {
		value, ok := bytes.CutPrefix(bytes.ToLower(bytes.TrimSpace(part)), timeoutParameter)
		if !ok {
			continue
		}
		if seconds, err := strconv.Atoi(string(value)); err == nil && seconds > 0 {
			c.keep = min(maxIdle, time.Duration(seconds)*time.Second-min(time.Second, time.Duration(seconds)*time.Second/2))
		}
	}
}

var timeoutParameter = []byte("timeout=")
