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
	Timeout        time.Duration // of a whole load (10 s)
	ConnectTimeout time.Duration // of one connection (3 s)
	MaxLimit       int64         // the largest [Request.Limit] (DefaultLimit)
	TLS            *tls.Config   // nil: the system's roots; not changed afterwards
}

// HTTP reads documents from HTTP servers. It follows no redirects, sends no credentials,
// uses no proxy, asks for gzip, and revalidates by ETag and Last-Modified. Any answer
// other than 200, 304, 403, 404 or 410 is ErrUnavailable.
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
		// Not streamed: fasthttp's stream accepts a truncated chunked body.
		MaxResponseBodySize: int(cmp.Or(o.MaxLimit, DefaultLimit) + gzipOverhead),
		ConfigureClient: func(hc *fasthttp.HostClient) error {
			hc.SecureErrorLogMessage = true // no server bytes in errors
			return nil
		},
	}}
}

const (
	userAgent             = "jobgate"
	defaultTimeout        = 10 * time.Second
	defaultConnectTimeout = 3 * time.Second
	idleConnTimeout       = 90 * time.Second // longer than cache.fresh
)

// Name returns "http".
func (*HTTP) Name() string { return "http" }

// Close closes the idle connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Load gets one document. Canceling ctx has no effect once the request has started; a
// deadline of ctx, else [HTTPOptions.Timeout], ends it.
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
	case err != nil && !long: // do not read an error page
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

// publicPart returns a URL without its parts that may be secret.
func publicPart(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return "?"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// revalidated returns the document of a 304. Servers may omit unchanged headers.
func revalidated(doc Document, r *Request) Document {
	if doc.ETag == "" {
		doc.ETag = r.ETag
	}
	if doc.LastModified == "" {
		doc.LastModified = r.LastModified
	}
	return Document{ETag: doc.ETag, LastModified: doc.LastModified, NotModified: true}
}
