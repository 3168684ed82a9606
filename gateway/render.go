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
	"jobgate/gateway/signing"
	"jobgate/presigner/role"
)

// answer renders d and writes it.
func (h *Handler) answer(ctx *fasthttp.RequestCtx, x *exchange, r *route, d *document) *Error {
	o := h.order(x, r)
	o.Template = &d.template
	m, resized, err := h.signing.Moment(ctx, &d.slot, &o)
	if err != nil {
		return renderError(err)
	}
	if resized {
		h.documents.Resize(r.key(x), int64(d.slot.Kept()))
	}
	// Fast path: a very popular document is shared for the rest of its quantum.
	if m.Body != nil {
		ctx.Response.SetBodyRaw(m.Body)
		return h.finishAnswer(ctx, x, d, m.End, m.ETag)
	}
	// Slow path: copied or signed into the response's own buffer.
	body, err := h.sign(ctx.Response.SwapBody(nil)[:0], m, &o)
	ctx.Response.SwapBody(body)
	if err != nil {
		return renderError(err)
	}
	var etag []byte
	if h.signing.Tag != nil {
		x.key = h.signing.Tag(x.key[:0], body)
		etag = x.key // reused: the cache no longer needs it
	}
	return h.finishAnswer(ctx, x, d, m.End, etag)
}

// sign appends the document, signed for o's device. Under overload, signing waits for its turn.
func (h *Handler) sign(dst []byte, m signing.Rendering, o *signing.Order) ([]byte, error) {
	if h.overload == nil || m.Copied() || !h.overload.Alert() {
		return h.signing.AppendTo(dst, m, o)
	}
	began, ok := h.overload.Turn()
	if !ok {
		h.counters.ShedOverload.Inc()
		return dst, errOverload
	}
	defer h.overload.EndTurn(began)
	return h.signing.AppendTo(dst, m, o)
}

// order returns x's signing order on r: role, URL life, and the values of the path.
func (h *Handler) order(x *exchange, r *route) signing.Order {
	return signing.Order{Role: r.role, Expires: r.expires, At: h.signing.Time(x.now), Values: r.values(x)}
}

// signOnce sets x.render to sign text that is not from the cache: an upstream's or a sidecar caller's.
func (h *Handler) signOnce(ctx context.Context, x *exchange, o *signing.Order) *Error {
	var err error
	if x.render, err = h.signing.Once(ctx, o); err != nil {
		return renderError(err)
	}
	x.render.Memo = h.memo
	return nil
}

// renderError answers for a document that cannot be rendered or signed.
func renderError(err error) *Error {
	var fault *jobdoc.Error
	switch {
	case errors.Is(err, errOverload):
		return errOverload
	case errors.As(err, &fault), errors.Is(err, jobdoc.ErrValue):
		return documentError(err)
	case errors.Is(err, role.ErrShortSession), errors.Is(err, role.ErrMaxExpires):
		return errUnavailable("the role session ends before the URLs would", time.Second, err)
	}
	return errUnavailable("no credentials available at present", signing.RetryAfter(err), err)
}

// countURLs counts the URLs of an answer.
func (h *Handler) countURLs(s signing.Signed) {
	h.counters.Signed.Add(float64(s.Fresh))
	h.counters.Reused.Add(float64(s.Reused))
	if h.presign.MaxURLBytes == 0 || s.Longest <= h.presign.MaxURLBytes {
		return
	}
	h.counters.LongURLs.Inc()
	if h.counters.LogLimit.Allow(time.Now()) {
		h.log.Warn("a presigned URL is longer than presign.max_url_bytes", "bytes", s.Longest, "max_url_bytes", h.presign.MaxURLBytes)
	}
}

// finishAnswer writes the headers of a document whose body is in the response and whose quantum ends at end.
func (h *Handler) finishAnswer(ctx *fasthttp.RequestCtx, x *exchange, d *document, end int64, etag []byte) *Error {
	header := &ctx.Response.Header
	header.SetContentType(d.contentType.Value())
	if h.presign.Quantum <= time.Second {
		header.SetCanonical(cacheControl, noStore)
		return nil
	}
	left := max(0, end-h.signing.Time(x.now).Unix())
	x.maxAge = strconv.AppendInt(append(x.maxAge[:0], "private, max-age="...), left, 10)
	header.SetCanonical(cacheControl, x.maxAge)
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
