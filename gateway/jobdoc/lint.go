package jobdoc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"jobgate/gateway/target"

	"jobgate/gateway/jobdoc/jsontext"
	"jobgate/gateway/jobdoc/s3host"
)

// Warning is a likely mistake in a document that can still be served.
type Warning struct {
	Line, Column int // from 1, columns in characters
	Message      string
}

// String returns place and message in one line.
func (w Warning) String() string {
	return fmt.Sprintf("line %d, column %d: %s", w.Line, w.Column, w.Message)
}

// Lint returns warnings about what Parse accepts but is probably a mistake, in no
// particular order: a local placeholder outside a key, a misspelt marker, -v2 encoding
// in a v1 key, a document that is not JSON. It also works on documents that Parse
// refuses. It returns at most 100 warnings. A nil o means the zero Options.
func Lint(doc []byte, o *Options) []Warning {
	o = o.orDefault()
	l := linter{doc: doc, resolver: o.resolver(), plain: o.PlainText || !jsontext.LooksLikeJSON(doc)}
	l.depths.Reset(doc)
	l.run()
	if !o.PlainText {
		l.lintJSON()
	}
	return l.warnings
}

type linter struct {
	doc      []byte
	resolver *s3host.Resolver
	plain    bool
	depths   jsontext.Depths
	masked   []byte // doc without its placeholders, of the same length
	warnings []Warning
}

// maxWarnings bounds the warnings: nobody reads more.
const maxWarnings = 100

func (l *linter) warn(offset int, format string, args ...any) {
	if len(l.warnings) == maxWarnings {
		return
	}
	line, column := Position(l.doc, offset)
	l.warnings = append(l.warnings, Warning{line, column, fmt.Sprintf(format, args...)})
}

func (l *linter) run() {
	l.masked = bytes.Clone(l.doc)
	for from := 0; ; {
		i := Scan(l.doc[from:])
		if i < 0 {
			l.literal(from, len(l.doc))
			return
		}
		start := from + i
		l.literal(from, start)
		end, ok := closing(l.doc, start+len(marker), true)
		if !ok {
			return // Parse refuses it
		}
		from = end + 1
		l.placeholder(start, from)
	}
}

// literal warns of text that looks like a placeholder but is copied unchanged.
func (l *linter) literal(from, to int) {
	text := l.doc[from:to]
	for at := 0; ; at++ {
		i := bytes.IndexAny(text[at:], `$\`)
		if i < 0 {
			return
		}
		at += i
		rest := text[at:]
		found, local := localAt(rest)
		lower := bytes.ToLower(rest[:min(len(rest), 16)])
		switch {
		case local:
			l.warn(from+at, "${%s} is filled in the key of an S3 placeholder only; here the device gets it unchanged", found)
		case bytes.HasPrefix(lower, []byte("${aws:")):
			l.warn(from+at, "this looks like a placeholder, but those begin with %s, in lower case", marker)
		case bytes.HasPrefix(lower, []byte(`\u0024{aws:iot:`)):
			l.warn(from+at, "the $ of a placeholder is not written \\u0024; the device gets it unchanged")
		}
	}
}

// placeholder warns of likely mistakes in a placeholder.
func (l *linter) placeholder(start, end int) {
	depth := 0
	if !l.plain {
		depth = l.depths.At(start)
	}
	l.mask(start, end, depth)
	k, url := classify(l.doc[start+len(marker) : end-1])
	switch k {
	case kindDownload, kindUpload:
		l.encodedKey(start, k, url)
	case kindDownloadEncoded:
		l.versionSpelling(start, url)
	default:
		return
	}
	l.globalEndpoint(start, k, url)
	if depth == 0 && !l.plain {
		l.warn(start, "the placeholder does not stand in a JSON string; with a URL in its place the document is not JSON")
	}
}

// encodedKey warns of -v2 encoding in a key that is not decoded.
func (l *linter) encodedKey(start int, k kind, url []byte) {
	name := "s3-presigned-url"
	if k == kindUpload {
		name = "s3-presigned-url-upload"
	}
	if bytes.Contains(url, versionName) {
		l.warn(start, "%s knows no versionId and takes it as part of the key; use s3-presigned-url-v2", name)
		return
	}
	for i := range url {
		if url[i] == '%' {
			if _, ok := target.AppendDecoded(nil, url[i:min(i+3, len(url))]); ok {
				l.warn(start, "%s takes the key as it stands, %s included; percent-encoded keys are for s3-presigned-url-v2", name, url[i:i+3])
				return
			}
		}
	}
}

// versionSpelling warns of a versionId with different case, which becomes part of the key.
func (l *linter) versionSpelling(start int, url []byte) {
	const name = "%3FversionId%3D"
	if i := indexFold(url, name); i >= 0 && !bytes.Contains(url, versionName) {
		l.warn(start, "%q is part of the key; a version is written %s, in this exact case", url[i:i+len(name)], name)
	}
}

// globalEndpoint warns if a URL of the global endpoint will point to another host.
func (l *linter) globalEndpoint(start int, k kind, url []byte) {
	var o object
	_ = o.read(l.resolver, k, bytes.ReplaceAll(url, []byte(`\/`), []byte("/"))) // Parse reports errors
	if o.endpoint == nil {
		return
	}
	host, _, _ := bytes.Cut(bytes.TrimPrefix(bytes.ToLower(bytes.ReplaceAll(url, []byte(`\/`), []byte("/"))), []byte("https://")), []byte("/"))
	if string(host) != s3host.GlobalHost && !bytes.HasSuffix(host, []byte("."+s3host.GlobalHost)) {
		return
	}
	region := l.resolver.RegionOf(o.endpoint, o.bucket)
	if at := l.resolver.Located(o.endpoint, region); at.Host != string(host) && !l.resolver.Rewrites() {
		l.warn(start, "%s answers for buckets in %s only and this one is in %s: the URL is made for %s", s3host.GlobalHost, s3host.GlobalRegion, region, at.Host)
	}
}

// mask replaces a placeholder by a value, so that the rest can be parsed as JSON.
func (l *linter) mask(start, end, depth int) {
	for i := start; i < end; i++ {
		l.masked[i] = 'x'
		if depth == 0 {
			l.masked[i] = ' '
		}
	}
	if depth == 0 {
		l.masked[start] = '0'
	}
}

// lintJSON warns of a document that is not JSON.
func (l *linter) lintJSON() {
	var syntax *json.SyntaxError
	var value json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(l.masked, jsontext.ByteOrderMark), &value); errors.As(err, &syntax) {
		offset := max(int(syntax.Offset)-1, 0) + len(l.masked) - len(bytes.TrimPrefix(l.masked, jsontext.ByteOrderMark))
		l.warn(min(offset, len(l.doc)), "the document is not JSON, and is served all the same: %s", strings.TrimPrefix(syntax.Error(), "json: "))
	}
}
