// Package source reads job documents from the operator's folder, S3 bucket or HTTP server.
//
//	configuration   s3://job-documents/{jobId}.json
//	                     │ ParsePattern, once
//	request         Pattern.AppendURL(values) ─▶ URL, each value encoded for its target
//	                     │
//	cache miss      Source.Load(ctx, Request{URL, ETag, …}) ─▶ Document, or NotModified,
//	                     │                                      or an error of one class
//	                     ├─ File  within one folder, regular files only      file.go
//	                     ├─ S3    signed with role credentials                s3.go
//	                     └─ HTTP  no redirects, gzip                          http.go
//
// Errors are for the operator's log: they hold URLs without queries, local paths, and
// the server's message, but no credentials and no signatures. Test their class with
// [errors.Is]: [ErrNotFound] and [ErrForbidden] are the source's answer;
// [ErrUnavailable] means there was no answer, so an older copy may be served;
// [ErrTooLarge] is our limit.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

var (
	// ErrNotFound says that there is no such document.
	ErrNotFound = errors.New("not found")
	// ErrForbidden says that the source denies access. S3 also answers so for a missing
	// key, unless the role may list the bucket.
	ErrForbidden = errors.New("forbidden")
	// ErrTooLarge says that the document is larger than [Request.Limit].
	ErrTooLarge = errors.New("too large")
	// ErrUnavailable says that the source did not answer, or that its answer does not say
	// whether the document exists.
	ErrUnavailable = errors.New("unavailable")
)

// Request names a document.
type Request struct {
	URL string // made by [Pattern.AppendURL]
	// ETag and LastModified are those of the cached copy, if any, for revalidation.
	ETag, LastModified string
	// TraceParent and TraceState are sent to servers as the W3C headers of those names; "": none.
	TraceParent, TraceState string
	// Limit is the largest body accepted, in bytes after decompression;
	// [DefaultLimit] if 0.
	Limit int64
}

// DefaultLimit is limits.max_document's default.
const DefaultLimit = 1 << 20

// Document is a document as its source keeps it.
type Document struct {
	Body         []byte // owned by the receiver; nil if NotModified
	ContentType  string // from the source, "" if unknown
	ETag         string // for a later [Request], "" if there is none
	LastModified string // HTTP date, like ETag
	NotModified  bool   // the copy in the request is still current
}

// Source reads documents. Its implementations are safe for concurrent use.
type Source interface {
	// Load reads one document, or fails with one of the four classes of errors. It
	// returns soon after ctx ends or its deadline passes.
	Load(ctx context.Context, r Request) (Document, error)
	// Name is file, s3 or http, for metrics.
	Name() string
}

func (r *Request) limit() int64 {
	if r.Limit > 0 {
		return r.Limit
	}
	return DefaultLimit
}

// failure returns an error of the given class about the document at url.
func failure(class error, url, format string, args ...any) error {
	return fmt.Errorf("cannot read document %q: %w: %w", withoutQuery(url), class, fmt.Errorf(format, args...))
}

func tooLarge(r *Request) error {
	return failure(ErrTooLarge, r.URL, "more than %d bytes; see limits.max_document", r.limit())
}

// withoutQuery removes the query, which may hold a token.
func withoutQuery(u string) string {
	if strings.HasPrefix(u, "http") {
		u, _, _ = strings.Cut(u, "?")
	}
	return u
}

// readLimited reads all of r, up to limit bytes. It returns a bare ErrTooLarge if there
// are more.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, ErrTooLarge
	}
	return body, nil
}

// innermost returns the cause below net/url's and net's wrappers, whose texts repeat the URL.
func innermost(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
