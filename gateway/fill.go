package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobdoc"
)

// fill writes the upstream's answer to ctx's response, its placeholders replaced. An
// answer that is not JSON, not successful, without a body or larger than
// limits.max_document passes untouched; so does one without placeholders. It releases
// answer, at the latest when its body is written.
func (h *Handler) fill(ctx *fasthttp.RequestCtx, x *exchange, r *route, answer *fasthttp.Response) *Error {
	status := answer.StatusCode()
	if status < 200 || status > 299 || status == http.StatusPartialContent || !isJSON(answer.Header.ContentType()) {
		passOn(ctx, answer, nil)
		return nil
	}
	if answer.BodyStream() == nil { // HEAD, and 204
		if ctx.IsHead() {
			dropUnfilled(&answer.Header)
			answer.Header.SetContentLength(-1)
		}
		passOn(ctx, answer, nil)
		return nil
	}
	if length := answer.Header.ContentLength(); length > h.limits.MaxDocument {
		h.counters.unfilledTooLarge.Inc()
		passOn(ctx, answer, nil)
		return nil
	}
	var err error
	if x.body, err = appendLimited(x.body[:0], answer.BodyStream(), h.limits.MaxDocument+1); err != nil {
		fasthttp.ReleaseResponse(answer)
		return upstreamError(err)
	}
	if len(x.body) > h.limits.MaxDocument {
		h.counters.unfilledTooLarge.Inc()
		passOn(ctx, answer, bytes.Clone(x.body))
		return nil
	}
	answer.Header.CopyTo(&ctx.Response.Header)
	fasthttp.ReleaseResponse(answer) // read to its end: the connection is free again
	return h.fillBody(ctx, x, r)
}

// passOn moves answer to ctx's response as it is. Of its body, prefix was read already.
func passOn(ctx *fasthttp.RequestCtx, answer *fasthttp.Response, prefix []byte) {
	answer.Header.CopyTo(&ctx.Response.Header)
	length := max(answer.Header.ContentLength(), -1) // one that ends with its connection has no length either
	ctx.Response.SetBodyStream(&answerStream{prefix: prefix, answer: answer}, length)
}

// decode undoes the Content-Encoding of x.body, which an upstream may use although it
// was not asked to. It reports false, and says why, when the body cannot be filled.
func (h *Handler) decode(header *fasthttp.ResponseHeader, x *exchange) (bool, *Error) {
	switch string(header.ContentEncoding()) {
	case "", "identity":
		return true, nil
	case "gzip", "x-gzip":
		plain, err := gunzip(x.body, h.limits.MaxDocument)
		if err != nil {
			return false, upstreamError(err)
		}
		if len(plain) > h.limits.MaxDocument {
			h.counters.unfilledTooLarge.Inc()
			return false, nil
		}
		header.Del("Content-Encoding")
		x.body = append(x.body[:0], plain...)
		return true, nil
	default:
		h.counters.unfilledEncoding.Inc()
		return false, nil
	}
}

// gunzip returns what data decodes to, limit+1 bytes of it at most.
func gunzip(data []byte, limit int) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("cannot decode the upstream's gzip: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, fmt.Errorf("cannot decode the upstream's gzip: %w", err)
	}
	return plain, nil
}

// fillBody fills x.body into the response's own buffer.
func (h *Handler) fillBody(ctx *fasthttp.RequestCtx, x *exchange, r *route) *Error {
	response := &ctx.Response
	fillable, err := h.decode(&response.Header, x)
	if err != nil {
		return err
	}
	if !fillable || jobdoc.Scan(x.body) < 0 {
		response.SetBody(x.body)
		return nil
	}
	m := rendering{signed: h.signingTime(x.now)}
	if err = h.sign(ctx, x.now, r.role, r.expires, &m); err != nil {
		return err
	}
	dst, err := h.fillInto(response.SwapBody(nil)[:0], x, r, &m)
	response.SwapBody(dst)
	if err != nil {
		return err
	}
	dropUnfilled(&response.Header)
	return nil
}

// dropUnfilled makes the headers of an upstream's answer those of the filled one.
func dropUnfilled(header *fasthttp.ResponseHeader) {
	for _, name := range ofUnfilledBody {
		header.DelBytes(name)
	}
	header.SetCanonical(cacheControl, noStore)
}

func (h *Handler) fillInto(dst []byte, x *exchange, r *route, m *rendering) ([]byte, *Error) {
	h.prepare(x, r, m)
	x.render.Memo = h.memo
	body, err := jobdoc.Fill(dst, x.body, &r.options, &x.render)
	if err != nil {
		return body, documentError(err)
	}
	h.countSigned(x)
	return body, nil
}

// signingTime is when a URL begins that belongs to no template: with its quantum.
func (h *Handler) signingTime(now time.Time) time.Time {
	start := now.Add(h.roles.Skew()).Unix()
	return time.Unix(start-start%int64(h.presign.Quantum/time.Second), 0)
}

// ofUnfilledBody are the headers that describe the bytes the upstream sent, and say
// nothing true of the filled ones.
var ofUnfilledBody = [][]byte{
	[]byte("ETag"), []byte("Last-Modified"), []byte("Content-Md5"), []byte("Digest"), []byte("Content-Digest"), []byte("Repr-Digest"),
	[]byte("Accept-Ranges"), []byte("Expires"), []byte("Cache-Control"),
}

// isJSON reports whether a content type is application/json or a +json one.
func isJSON(contentType []byte) bool {
	mediaType, _, _ := bytes.Cut(contentType, semicolon)
	mediaType = bytes.TrimSpace(mediaType)
	return bytes.EqualFold(mediaType, jsonType) ||
		len(mediaType) > len(plusJSON) && bytes.EqualFold(mediaType[len(mediaType)-len(plusJSON):], plusJSON)
}

var (
	semicolon = []byte(";")
	jsonType  = []byte("application/json")
	plusJSON  = []byte("+json")
)

// appendLimited appends what r holds to dst, limit bytes at most.
func appendLimited(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for len(dst) < limit {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), limit)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// answerStream is the body of an answer of which the beginning may have been read
// already. Closing it releases the answer and so frees or ends its connection.
type answerStream struct {
	prefix []byte
	answer *fasthttp.Response
}

func (s *answerStream) Read(p []byte) (int, error) {
	if len(s.prefix) > 0 {
		n := copy(p, s.prefix)
		s.prefix = s.prefix[n:]
		return n, nil
	}
	if stream := s.answer.BodyStream(); stream != nil {
		return stream.Read(p)
	}
	return 0, io.EOF
}

// Close is called by fasthttp when the answer is written, or cannot be.
func (s *answerStream) Close() error {
	fasthttp.ReleaseResponse(s.answer)
	return nil
}
