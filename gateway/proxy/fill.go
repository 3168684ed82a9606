package proxy

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
)

// Reason is why an answer of a fill route could not be filled.
type Reason uint8

// The reasons.
const (
	Partial         Reason = iota // 206, although no range was requested
	TooLarge                      // larger than limits.max_document
	ContentEncoding               // neither plain nor gzip
	Charset                       // in which placeholders cannot be found
	NotJSON                       // has a placeholder, but is not declared JSON
	EventStream                   // has no end, and only a whole answer is filled
	Reasons                       // the number of reasons
)

// String returns the name that metrics use.
func (r Reason) String() string {
	return [...]string{"partial", "too_large", "content_encoding", "charset", "not_json", "event_stream"}[r]
}

// fill returns c's answer with its placeholders filled. An answer that is unsuccessful, or has no body or no placeholders, is
// forwarded unchanged.
func (p *Proxy) fill(ctx *fasthttp.RequestCtx, x *exchange, r *Request, c *conn) *edge.Fault {
	header := &ctx.Response.Header
	status := header.StatusCode()
	if c.body.ended || status < 200 || status > 299 {
		if ctx.IsHead() && status >= 200 && status <= 299 {
			dropUnfilled(header) // the answer to a GET would be filled
			header.SetContentLength(-1)
		}
		return p.pass(ctx, c, nil)
	}
	media := mediaOf(header)
	if reason, why := p.unexamined(header, &media); why != "" {
		return p.cannotFill(ctx, r, c, nil, reason, why)
	}
	var err error
	x.document, err = edge.AppendLimited(x.document[:0], &c.body, p.limits.MaxDocument+1)
	switch {
	case err != nil:
		c.end(false)
		return upstreamFault(err)
	case len(x.document) > p.limits.MaxDocument:
		return p.cannotFill(ctx, r, c, x.document, TooLarge, fmt.Sprintf("it is larger than %d bytes, the gateway's limits.max_document", p.limits.MaxDocument))
	}
	return p.fillDocument(ctx, x, r, c, &media)
}

// fillDocument fills x.document, which has been read to its end.
func (p *Proxy) fillDocument(ctx *fasthttp.RequestCtx, x *exchange, r *Request, c *conn, media *media) *edge.Fault {
	response := &ctx.Response
	document := x.document
	if media.zipped {
		plain, err := gunzip(x.document, p.limits.MaxDocument)
		switch {
		case err != nil:
			return p.cannotFill(ctx, r, c, x.document, ContentEncoding, "its gzip is broken")
		case len(plain) > p.limits.MaxDocument:
			return p.cannotFill(ctx, r, c, x.document, TooLarge, fmt.Sprintf("it is larger than %d bytes, the gateway's limits.max_document", p.limits.MaxDocument))
		}
		document = plain
	}
	if reason, why := media.unfillable(document); why != "" {
		return p.cannotFill(ctx, r, c, x.document, reason, why)
	}
	if !media.json || jobdoc.Scan(document) < 0 {
		return p.pass(ctx, c, x.document)
	}
	c.end(c.reusable) // others may use the connection while the document is filled
	dst, f := r.Fill.Fill(response.SwapBody(nil)[:0], document)
	response.SwapBody(dst)
	if f != nil {
		return f
	}
	if media.zipped {
		response.Header.Del(fasthttp.HeaderContentEncoding)
	}
	dropUnfilled(&response.Header)
	return nil
}

// cannotFill rejects an answer that cannot be filled, or forwards it if the route allows that. prefix is the part of its body
// that was read.
func (p *Proxy) cannotFill(ctx *fasthttp.RequestCtx, r *Request, c *conn, prefix []byte, reason Reason, why string) *edge.Fault {
	p.unfilled(reason, r.PassUnfilled)
	if r.PassUnfilled {
		return p.pass(ctx, c, prefix)
	}
	c.end(c.reusable && c.body.ended)
	return &edge.Fault{
		Status: http.StatusBadGateway, Code: "BadGateway", Message: "the upstream's answer cannot be filled: " + why,
		Err: fmt.Errorf("%s; the route's setting unfilled: pass forwards such answers", reason),
	}
}

// media describes a body, according to the answer's head.
type media struct {
	json    bool
	stream  bool   // text/event-stream
	charset string // lower case; "": none declared
	zipped  bool
	coding  string // an unsupported Content-Encoding; "": supported
}

// mediaOf reads Content-Type and Content-Encoding.
func mediaOf(h *fasthttp.ResponseHeader) media {
	m := media{json: jobdoc.IsJSON(h.ContentType())}
	if contentType := h.ContentType(); bytes.IndexByte(contentType, ';') >= 0 {
		_, parameters, err := mime.ParseMediaType(string(contentType))
		if m.charset = strings.ToLower(parameters["charset"]); err != nil {
			m.charset = "unreadable"
		}
	}
	mediaType, _, _ := bytes.Cut(h.ContentType(), []byte(";"))
	m.stream = bytes.EqualFold(bytes.TrimSpace(mediaType), eventStream)
	coding := bytes.TrimSpace(h.ContentEncoding())
	switch {
	case len(coding) == 0, bytes.EqualFold(coding, identityCoding):
	case bytes.EqualFold(coding, gzipCoding), bytes.EqualFold(coding, xGzipCoding):
		m.zipped = true
	default:
		m.coding = string(coding)
	}
	return m
}

// unexamined says why an answer cannot be examined, judging by its head; why is empty if it can.
func (p *Proxy) unexamined(h *fasthttp.ResponseHeader, m *media) (reason Reason, why string) {
	switch {
	case h.StatusCode() == http.StatusPartialContent:
		return Partial, "it is partial (206), although no range was requested"
	case m.coding != "":
		return ContentEncoding, fmt.Sprintf("its Content-Encoding is %.40q; only gzip and identity are supported", m.coding)
	case !asciiCharset(m.charset):
		return Charset, fmt.Sprintf("its charset is %.40q; only UTF-8 and supersets of ASCII are supported", m.charset)
	case m.stream:
		return EventStream, "it is an event stream, which has no end"
	case h.ContentLength() > p.limits.MaxDocument:
		return TooLarge, fmt.Sprintf("it is larger than %d bytes, the gateway's limits.max_document", p.limits.MaxDocument)
	}
	return 0, ""
}

// unfillable says why a document cannot be filled, judging by its bytes; why is empty if it can, or has no placeholders.
func (m *media) unfillable(document []byte) (reason Reason, why string) {
	zeros := bytes.IndexByte(document, 0) >= 0
	switch {
	case m.json && (zeros || m.charset == "" && !utf8.Valid(document)):
		return Charset, "it is declared JSON, but is not UTF-8 (RFC 8259 §8.1)"
	case m.json:
		return 0, ""
	case jobdoc.Scan(document) >= 0:
		return NotJSON, "it has a placeholder, but is not declared JSON"
	case zeros && jobdoc.Scan(bytes.ReplaceAll(document, []byte{0}, nil)) >= 0: // UTF-16 or UTF-32
		return Charset, "it has a placeholder, but is not UTF-8"
	}
	return 0, ""
}

// asciiCharset reports whether a placeholder looks the same in a charset as in UTF-8.
func asciiCharset(name string) bool {
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return true
	}
	return strings.HasPrefix(name, "iso-8859-") || strings.HasPrefix(name, "windows-125")
}

// gunzip decompresses data, up to limit+1 bytes.
func gunzip(data []byte, limit int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, errors.Join(errors.New("cannot decode the upstream's gzip"), err)
	}
	return io.ReadAll(io.LimitReader(z, int64(limit)+1))
}

// dropUnfilled removes the headers of an upstream's answer that are wrong for the filled one.
func dropUnfilled(header *fasthttp.ResponseHeader) {
	for _, name := range ofUnfilledBody {
		header.Del(name)
	}
	header.Set(fasthttp.HeaderCacheControl, "no-store")
}

// ofUnfilledBody are the headers that describe the upstream's bytes and are wrong for the filled ones.
var ofUnfilledBody = [...]string{
	"Etag", "Last-Modified", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges", "Expires", "Cache-Control",
}

var (
	eventStream    = []byte("text/event-stream")
	identityCoding = []byte("identity")
	gzipCoding     = []byte("gzip")
	xGzipCoding    = []byte("x-gzip")
)
