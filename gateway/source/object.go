package source

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Object names one version of an object. All fields are required and plain.
type Object struct {
	Region  string
	Bucket  string
	Key     string
	Version string
}

// String returns the object as written in placeholders, s3://region.bucket/key@version.
func (o Object) String() string {
	return "s3://" + o.Region + "." + o.Bucket + "/" + o.Key + "@" + o.Version
}

// Body is an object's stored bytes, not decompressed. Read it once and close it. It is
// not safe for concurrent use.
type Body struct {
	io.ReadCloser
	Size int64 // in bytes
}

// Open starts reading a version of an object. Reading fails when ctx ends, or when
// nothing arrives for stall; S3Options.Timeout does not apply. Errors, also of Read, are
// of the four classes. An answer with another version, from a server without versions,
// is an error.
func (s *S3) Open(ctx context.Context, o Object, stall time.Duration) (*Body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	body, err := s.open(ctx, cancel, o, stall)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	return body, nil
}

func (s *S3) open(ctx context.Context, cancel context.CancelCauseFunc, o Object, stall time.Duration) (*Body, error) {
	timer := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came for %v", stall)) })
	req, err := s.sign(ctx, call{method: http.MethodGet, url: s.versionURL(o), region: o.Region})
	if err != nil {
		timer.Stop()
		return nil, objectFailure(ErrUnavailable, o, "%w", err)
	}
	sent := time.Now()
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		timer.Stop()
		return nil, objectFailure(ErrUnavailable, o, "%w", causeOf(ctx, innermost(err)))
	}
	s.observe(resp, sent)
	r := &objectReader{body: resp.Body, ctx: ctx, cancel: cancel, timer: timer, stall: stall, object: o, left: resp.ContentLength}
	if err := r.accept(resp); err != nil {
		_ = r.Close()
		return nil, err
	}
	return &Body{ReadCloser: r, Size: resp.ContentLength}, nil
}

// Exists returns nil if a version of an object exists and is readable, else an error of
// one of the classes. It reads no content.
func (s *S3) Exists(ctx context.Context, o Object) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	req, err := s.sign(ctx, call{method: http.MethodHead, url: s.versionURL(o), region: o.Region})
	if err != nil {
		return objectFailure(ErrUnavailable, o, "%w", err)
	}
	sent := time.Now()
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return objectFailure(ErrUnavailable, o, "%w", innermost(err))
	}
	_ = resp.Body.Close() // HEAD has none
	s.observe(resp, sent)
	class := ErrUnavailable
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusNotFound, http.StatusMethodNotAllowed: // 405 is the answer for a delete marker
		class = ErrNotFound
	case http.StatusForbidden:
		class = ErrForbidden
	}
	return objectFailure(class, o, "status %d", resp.StatusCode)
}

func (s *S3) versionURL(o Object) *url.URL {
	u := s.objectURL(o.Bucket, o.Key, o.Region)
	u.RawQuery = "versionId=" + url.QueryEscape(o.Version)
	return u
}

// accept checks that an answer is the requested object.
func (r *objectReader) accept(resp *http.Response) error {
	given := resp.Header.Get("X-Amz-Version-Id")
	switch {
	case resp.StatusCode != http.StatusOK:
		code, text, class := readRefusal(resp, r.object.Region)
		if code == "InvalidArgument" || code == "MethodNotAllowed" { // a malformed version id, or that of a delete marker
			class = ErrNotFound
		}
		return objectFailure(class, r.object, "%s", text)
	case given == "":
		return objectFailure(ErrNotFound, r.object, "the server answers without a version; is the bucket versioned?")
	case given != r.object.Version:
		return objectFailure(ErrNotFound, r.object, "the server answers with version %q", printable(given, 64))
	case resp.ContentLength < 0:
		return objectFailure(ErrUnavailable, r.object, "the server does not say how large it is")
	}
	return nil
}

// objectReader reads a body of known length, and fails when nothing arrives for too long.
type objectReader struct {
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
	object Object
	left   int64
}

// Read implements io.Reader.
func (r *objectReader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.left -= int64(n)
	r.timer.Reset(r.stall)
	switch {
	case err == io.EOF && r.left > 0:
		return n, objectFailure(ErrUnavailable, r.object, "the answer ended %d bytes early", r.left)
	case err == io.EOF || err == nil:
		return n, err
	}
	return n, objectFailure(ErrUnavailable, r.object, "%w", causeOf(r.ctx, innermost(err)))
}

// Close implements io.Closer.
func (r *objectReader) Close() error {
	r.timer.Stop()
	r.cancel(nil)
	return r.body.Close()
}

// causeOf returns ctx's cause, if that is the reason for err.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func objectFailure(class error, o Object, format string, args ...any) error {
	return fmt.Errorf("cannot read object %q: %w: %w", o.String(), class, fmt.Errorf(format, args...))
}
