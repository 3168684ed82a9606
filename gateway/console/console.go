// Package console is the operators' web page for jobs: static files on the control listener, under /console/.
//
//	browser ──GET /console/──▶ Front ──▶ a file, plain or gzip, with its ETag
//	        ──signed request─▶ Front ──▶ the control plane's own handler
//
// The page is an ordinary client of the control plane's API: it signs its requests itself (SigV4 with WebCrypto). This
// package has no sessions, keys or jobs. See CONSOLE.md.
package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

//go:embed static
var static embed.FS

// Root is where the console is on the control listener.
const Root = "/console/"

// HeaderHost carries, to the page, the Host of its request as the gateway received it. A proxy that changes Host breaks every
// signature, and the page can then report that.
const HeaderHost = "X-Jobgate-Host"

// MaxBytes bounds the size of all files together, uncompressed. It is checked by a test.
const MaxBytes = 200_000

// headers are set on every answer of the console. They allow only its own scripts and styles, and forbid framing.
var headers = [][2]string{
	{"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cache-Control", "no-cache"}, // cached, but revalidated, so that a new version is used at once
	{"Vary", "Accept-Encoding"},
}

var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// Console serves the files. It is safe for concurrent use.
type Console struct {
	files map[string]*file // by path below Root; "" is the page
}

// file is one file in both encodings.
type file struct {
	contentType string
	plain, gzip variant
}

// variant is a file in one encoding. Both fields are immutable.
type variant struct {
	body []byte
	etag string
}

// New returns the console with its files compressed.
func New() (*Console, error) {
	c := &Console{files: make(map[string]*file)}
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := newFile(path.Ext(name), body)
		c.files[strings.TrimPrefix(name, "static/")] = f
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the console: %w", err)
	}
	c.files[""] = c.files["index.html"]
	return c, nil
}

func newFile(extension string, body []byte) (*file, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	tag := hex.EncodeToString(sum[:12])
	return &file{
		contentType: contentTypes[extension],
		plain:       variant{body, `"` + tag + `"`},
		gzip:        variant{packed.Bytes(), `"` + tag + `-gzip"`},
	}, nil
}

// Front returns o with the console in front: requests for other paths go to o unchanged.
func (c *Console) Front(o edge.HTTPOptions) edge.HTTPOptions {
	handler, admit := o.Handler, o.Admit
	o.Handler = func(ctx *fasthttp.RequestCtx) *edge.Route {
		if name, ok := below(ctx.Request.Header.RequestURI()); ok {
			c.serve(ctx, name)
			return nil
		}
		return handler(ctx)
	}
	o.Admit = func(h *fasthttp.RequestHeader) *edge.Fault {
		if _, ok := below(h.RequestURI()); ok {
			if n := h.ContentLength(); n > 0 || n == -1 {
				return &edge.Fault{Status: http.StatusRequestEntityTooLarge, Code: "RequestEntityTooLarge", Message: "The console takes no body."}
			}
			return nil
		}
		if admit == nil {
			return nil
		}
		return admit(h)
	}
	return o
}

// below returns the path below Root that a request target names; for Root without its slash, "/".
func below(target []byte) (name string, ok bool) {
	target, _, _ = bytes.Cut(target, []byte("?"))
	if string(target) == Root[:len(Root)-1] {
		return "/", true
	}
	rest, ok := bytes.CutPrefix(target, []byte(Root))
	return string(rest), ok
}

// serve answers a request for one of the files.
func (c *Console) serve(ctx *fasthttp.RequestCtx, name string) {
	f := c.files[name]
	switch {
	case !ctx.IsGet() && !ctx.IsHead():
		fault := edge.Fault{Status: http.StatusMethodNotAllowed, Code: "MethodNotAllowed", Message: "The console takes GET and HEAD only."}
		fault.Write(ctx)
		setHeaders(ctx)
		ctx.Response.Header.Set("Allow", "GET, HEAD")
		return
	case name == "/":
		setHeaders(ctx)
		ctx.Response.Header.Set("Location", Root)
		ctx.SetStatusCode(http.StatusPermanentRedirect)
		return
	case f == nil:
		fault := edge.Fault{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: "The console has no such file; it begins at " + Root + "."}
		fault.Write(ctx)
		setHeaders(ctx)
		return
	}
	setHeaders(ctx)
	header := &ctx.Response.Header
	v := &f.plain
	if ctx.Request.Header.HasAcceptEncoding("gzip") {
		v = &f.gzip
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("ETag", v.etag)
	header.SetBytesV(HeaderHost, ctx.Request.Header.Host())
	if matches(ctx.Request.Header.Peek("If-None-Match"), v.etag) {
		header.Del("Content-Encoding")
		ctx.SetStatusCode(http.StatusNotModified)
		return
	}
	header.SetContentType(f.contentType)
	ctx.Response.SetBodyRaw(v.body)
}

func setHeaders(ctx *fasthttp.RequestCtx) {
	for _, h := range headers {
		ctx.Response.Header.Set(h[0], h[1])
	}
}

// matches reports whether an If-None-Match names etag (RFC 9110 §13.1.2, weak comparison).
func matches(header []byte, etag string) bool {
	for tag := range bytes.SplitSeq(header, []byte(",")) {
		tag = bytes.TrimPrefix(bytes.TrimSpace(tag), []byte("W/"))
		if string(tag) == etag || string(tag) == "*" {
			return true
		}
	}
	return false
}
