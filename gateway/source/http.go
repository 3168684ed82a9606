package source

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"
)

// HTTPOptions are the settings of an HTTP source. Zero fields take their defaults.
type HTTPOptions struct {
	Timeout        time.Duration // of one load, all told (10 s)
	ConnectTimeout time.Duration // of one connection (3 s)
	MaxLimit       int64         // the largest [Request.Limit] (DefaultLimit)
	TLS            *tls.Config   // nil: the system's roots; not changed afterwards
}

// HTTP reads documents from HTTP servers. It follows no redirects, sends no credentials,
// uses no proxy, asks for gzip, and revalidates by ETag and Last-Modified. An answer other
// than 200, 304, 403, 404 or 410 says nothing about the document.
type HTTP struct {
	client  *fasthttp.Client
	timeout time.Duration
}

// NewHTTP returns an HTTP source. Its idle connections are closed by [HTTP.Close].
func NewHTTP(o HTTPOptions) *HTTP {
	timeout, connect := cmp.Or(o.Timeout, defaultTimeout), cmp.Or(o.ConnectTimeout, defaultConnectTimeout)
	dialer := &fasthttp.TCPDialer{}
	return &HTTP{timeout: timeout, client: &fasthttp.Client{
		Name: userAgent,
		DialTimeout: func(addr string, left time.Duration) (net.Conn, error) {
			if left <= 0 || left > connect {
				left = connect
			}
			return dialer.DialDualStackTimeout(addr, left)
		},
		TLSConfig:                 o.TLS,
		MaxIdleConnDuration:       idleConnTimeout,
		MaxIdemponentCallAttempts: 2, // a kept connection may have been closed
		ReadBufferSize:            16 << 10,
		DisablePathNormalizing:    true,
		// Not streamed: a stream takes a chunked body without its last chunk for whole.
		MaxResponseBodySize: int(cmp.Or(o.MaxLimit, DefaultLimit) + gzipOverhead),
		ConfigureClient: func(hc *fasthttp.HostClient) error {
			hc.SecureErrorLogMessage = true // errors without the server's bytes
			return nil
		},
	}}
}

const (
	userAgent             = "jobgate"
	defaultTimeout        = 10 * time.Second
	defaultConnectTimeout = 3 * time.Second
	idleConnTimeout       = 90 * time.Second // longer than a document's freshness
)

// Name returns "http".
func (*HTTP) Name() string { return "http" }

// Close closes the idle connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Load gets one document. A ctx without a deadline ends it only before it begins: then
// [HTTPOptions.Timeout] does.
func (h *HTTP) Load(ctx context.Context, r Request) (Document, error) {
	if err := ctx.Err(); err != nil {
		return Document{}, failure(ErrUnavailable, r.URL, "%w", err)
	}
	deadline := time.Now().Add(h.timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	if err := prepare(req, &r); err != nil {
		return Document{}, failure(ErrUnavailable, r.URL, "%w", err)
	}
	resp.Header.SetNoDefaultContentType(true)
	err := h.client.DoDeadline(req, resp, deadline)
	switch long := errors.Is(err, fasthttp.ErrBodyTooLarge); {
	case long && resp.StatusCode() == fasthttp.StatusOK:
		return Document{}, tooLarge(&r)
	case err != nil && !long: // what an error's page says is not read
		return Document{}, failure(ErrUnavailable, r.URL, "%w", err)
	}
	return answer(resp, &r)
}

// prepare writes the request.
func prepare(req *fasthttp.Request, r *Request) error {
	u, err := url.Parse(r.URL)
	if err != nil {
		return innermost(err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New("not an HTTP URL without a user")
	}
	req.SetRequestURI(r.URL)
	req.Header.Set(fasthttp.HeaderAccept, "application/json, */*;q=0.8")
	req.Header.Set(fasthttp.HeaderAcceptEncoding, "gzip")
	if r.ETag != "" {
		req.Header.Set(fasthttp.HeaderIfNoneMatch, r.ETag)
	}
	if r.LastModified != "" {
		req.Header.Set(fasthttp.HeaderIfModifiedSince, r.LastModified)
	}
	if r.TraceParent != "" {
		req.Header.Set(headerTraceParent, r.TraceParent)
		if r.TraceState != "" {
			req.Header.Set(headerTraceState, r.TraceState)
		}
	}
	return nil
}

// The headers of W3C Trace Context.
const (
	headerTraceParent = "Traceparent"
	headerTraceState  = "Tracestate"
)

// answer reads the response.
func answer(resp *fasthttp.Response, r *Request) (Document, error) {
	doc := Document{
		ContentType:  string(resp.Header.Peek(fasthttp.HeaderContentType)),
		ETag:         string(resp.Header.Peek(fasthttp.HeaderETag)),
		LastModified: string(resp.Header.Peek(fasthttp.HeaderLastModified)),
	}
	switch status := resp.StatusCode(); {
	case status == fasthttp.StatusOK:
	case status == fasthttp.StatusNotModified && (r.ETag != "" || r.LastModified != ""):
		return revalidated(doc, r), nil
	case status == fasthttp.StatusNotFound, status == fasthttp.StatusGone:
		return Document{}, failure(ErrNotFound, r.URL, "status %d", status)
	case status == fasthttp.StatusForbidden:
		return Document{}, failure(ErrForbidden, r.URL, "status %d", status)
	case status/100 == 3:
		return Document{}, failure(ErrUnavailable, r.URL, "status %d, a redirect to %q, which is not followed; see document",
			status, publicPart(string(resp.Header.Peek(fasthttp.HeaderLocation))))
	default:
		return Document{}, failure(ErrUnavailable, r.URL, "status %d", status)
	}
	encoding := string(resp.Header.ContentEncoding())
	if n := int64(resp.Header.ContentLength()); n > r.limit() && encoding == "" {
		return Document{}, tooLarge(r)
	}
	var err error
	if doc.Body, err = readBody(bytes.NewReader(resp.Body()), encoding, r.limit()); err != nil {
		return Document{}, bodyFailure(r, err)
	}
	return doc, nil
}

// publicPart returns a URL without what may be secret in it.
func publicPart(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "?"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// revalidated is the document of a 304. Servers may leave out what has not changed.
func revalidated(doc Document, r *Request) Document {
	if doc.ETag == "" {
		doc.ETag = r.ETag
	}
	if doc.LastModified == "" {
		doc.LastModified = r.LastModified
	}
	return Document{ETag: doc.ETag, LastModified: doc.LastModified, NotModified: true}
}
