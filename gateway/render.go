package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobdoc"
	"jobgate/presigner/role"
)

// rendering is a template's state within one quantum: who signs, from when and for how
// long, and, unless the document differs from device to device, the document itself.
// It is immutable; its body may be written to any number of connections.
type rendering struct {
	start    int64 // Unix seconds: when its URLs begin
	end      int64 // Unix seconds: when the next rendering is due, the session's end at the latest
	signed   time.Time
	session  *role.Session // nil: nothing to sign
	lifetime time.Duration
	clamped  bool
	urls     int
	body     []byte // nil: rendered per device
	etag     []byte // with body, when the quantum is longer than a second
}

// answer renders d and writes it.
func (h *Handler) answer(ctx *fasthttp.RequestCtx, x *exchange, r *route, d *document) *Error {
	// Fast path: what this quantum's first request rendered is every device's document.
	m, err := h.moment(ctx, x, r, d)
	if err != nil {
		return err
	}
	if m.body != nil {
		ctx.Response.SetBodyRaw(m.body)
		if x.render.Signed == 0 { // else this request rendered it, and has counted that
			h.counters.reused.Add(float64(m.urls))
		}
		return h.finishAnswer(ctx, x, d, m, m.etag)
	}
	// Slow path: local placeholders, signed for this device into the response's own buffer.
	body, err := h.render(x, r, d, m, ctx.Response.SwapBody(nil)[:0])
	ctx.Response.SwapBody(body)
	if err != nil {
		return err
	}
	var etag []byte
	if h.presign.Quantum > time.Second {
		x.key = appendETag(x.key[:0], body)
		etag = x.key // the cache is done with
	}
	return h.finishAnswer(ctx, x, d, m, etag)
}

// moment returns the rendering of d's present quantum, made by the first who asks.
func (h *Handler) moment(ctx context.Context, x *exchange, r *route, d *document) (*rendering, *Error) {
	quantum := int64(h.presign.Quantum / time.Second)
	signing := x.now.Add(h.roles.Skew())
	start := signing.Unix()
	start -= (start + d.offset%quantum) % quantum // boundaries differ from template to template
	m := d.rendering.Load()
	if m != nil && m.start == start && !m.clamped && signing.Unix() < m.end {
		return m, nil
	}
	fresh := &rendering{start: start, end: start + quantum, signed: time.Unix(start, 0), urls: d.template.Placeholders()}
	if d.template.Signs() {
		if err := h.sign(ctx, x.now, r.role, r.expires, fresh); err != nil {
			return nil, err
		}
		if ends := fresh.session.Expires; !ends.IsZero() {
			fresh.end = min(fresh.end, ends.Unix())
		}
	}
	if m != nil && m.start == start && m.session == fresh.session {
		return m, nil // clamped, and no longer session is to be had
	}
	if !d.template.PerDevice() {
		body, err := h.render(x, r, d, fresh, nil)
		if err != nil {
			return nil, err
		}
		fresh.body = body
		if quantum > 1 {
			fresh.etag = appendETag(nil, body)
		}
		h.documents.Grow(r.key(x), int64(cap(body)))
	}
	d.rendering.Store(fresh)
	return fresh, nil
}

// sign decides which session of the role signs m's URLs and for how long. The URLs begin
// with their quantum, but are handed out now.
func (h *Handler) sign(ctx context.Context, now time.Time, r *role.Role, expires time.Duration, m *rendering) *Error {
	session, err := h.session(ctx, now, r)
	if err != nil {
		return err
	}
	lifetime, clamped, cause := r.Lifetime(session, expires, m.signed)
	if cause != nil {
		return errUnavailable("the role session ends before the URLs would", time.Second, cause)
	}
	m.session, m.lifetime, m.clamped = session, lifetime, clamped
	return nil
}

// signingTime is when a URL begins that belongs to no template: with its quantum.
func (h *Handler) signingTime(now time.Time) time.Time {
	start := now.Add(h.roles.Skew()).Unix()
	return time.Unix(start-start%int64(h.presign.Quantum/time.Second), 0)
}

// session returns the role's session. A role that has none yet, or one that has ended, is
// waited for, together with all who ask, unless it is known to be failing.
func (h *Handler) session(ctx context.Context, now time.Time, r *role.Role) (*role.Session, *Error) {
	if s := r.Session(); s != nil && (s.Expires.IsZero() || now.Add(h.roles.Skew()).Before(s.Expires)) {
		return s, nil
	}
	waiting, cancel := context.WithTimeout(ctx, h.limits.UpstreamTimeout)
	defer cancel()
	s, err := r.Wait(waiting)
	if err != nil {
		var unavailable *role.UnavailableError
		retry := time.Second
		if errors.As(err, &unavailable) {
			retry = max(retry, unavailable.RetryAfter)
		}
		return nil, errUnavailable("no credentials are to be had at present", retry, err)
	}
	return s, nil
}

// render appends d as it stands for the device of x to dst.
func (h *Handler) render(x *exchange, r *route, d *document, m *rendering, dst []byte) ([]byte, *Error) {
	h.prepare(x, r, m)
	body, err := d.template.AppendTo(dst, &x.render)
	if err != nil {
		return body, documentError(err)
	}
	h.countSigned(x)
	return body, nil
}

// prepare leaves in x.render what m and the path say about the URLs to be signed.
func (h *Handler) prepare(x *exchange, r *route, m *rendering) {
	x.render = jobdoc.Context{Time: m.signed, Expires: m.lifetime}
	if m.session != nil {
		x.render.Signer = m.session.Signer
	}
	r.values(x)
}

// countSigned accounts for the URLs that x.render has just signed.
func (h *Handler) countSigned(x *exchange) {
	h.counters.signed.Add(float64(x.render.Signed))
	if h.presign.MaxURLBytes == 0 || x.render.LongestURL <= h.presign.MaxURLBytes {
		return
	}
	h.counters.longURLs.Inc()
	if h.counters.logLimit.Allow(x.now) {
		h.log.Warn("a presigned URL is longer than presign.max_url_bytes", "bytes", x.render.LongestURL, "max_url_bytes", h.presign.MaxURLBytes)
	}
}

// finishAnswer writes the headers of a document whose body stands in the response.
func (h *Handler) finishAnswer(ctx *fasthttp.RequestCtx, x *exchange, d *document, m *rendering, etag []byte) *Error {
	header := &ctx.Response.Header
	header.SetContentTypeBytes(d.contentType)
	if h.presign.Quantum <= time.Second {
		header.SetCanonical(cacheControl, noStore)
		return nil
	}
	left := max(0, m.end-x.now.Add(h.roles.Skew()).Unix())
	x.target = strconv.AppendInt(append(x.target[:0], "private, max-age="...), left, 10)
	header.SetCanonical(cacheControl, x.target)
	header.SetCanonical(etagName, etag)
	if matchesETag(ctx.Request.Header.PeekBytes(ifNoneMatch), etag) {
		ctx.Response.ResetBody()
		ctx.Response.SetStatusCode(http.StatusNotModified)
	}
	return nil
}

// appendETag appends the strong entity tag of body.
func appendETag(dst, body []byte) []byte {
	sum := xxhash.Sum64(body)
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, []byte{
		byte(sum >> 56), byte(sum >> 48), byte(sum >> 40), byte(sum >> 32),
		byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum),
	})
	return append(dst, '"')
}
