package jobdoc

import (
	"bytes"
	"unicode/utf8"

	"jobgate/gateway/jobdoc/s3host"
	"jobgate/gateway/target"
	"jobgate/presigner"
)

// maxLocals is how many local placeholders one key may hold.
const maxLocals = maxEach * int(locals)

// object is the S3 object that a placeholder names. Its bytes belong to the document
// and the walker's scratch space.
type object struct {
	kind     kind
	method   presigner.Method
	endpoint *s3host.Endpoint
	bucket   []byte // nil if the host names it
	key      []byte // decoded, without the local placeholders' values
	marks    []mark // their positions in key
	version  []byte // decoded; empty for the current version

	marksArray [maxLocals]mark
	parameter  int    // offset in the URL of the first parameter's value, or -1
	scratch    []byte // key and version, if they had to be decoded
}

// url fills a placeholder for S3.
func (w *walker) url(k kind, rest []byte) *Error {
	w.s3.parameter = -1
	url, err := w.expand(k, rest)
	if err != nil {
		return err
	}
	if err := w.s3.read(w.options.resolver(), k, url); err != nil {
		return err
	}
	return w.sink.object(&w.s3)
}

// read parses an S3 URL into o. The URL's local placeholders are in o already.
//
//	https://host/bucket/key          path style
//	https://bucket.host/key          virtual-hosted style, access points
//	http://endpoint:9000/bucket/key  a configured endpoint
func (o *object) read(r *s3host.Resolver, k kind, url []byte) *Error {
	o.kind, o.method, o.bucket, o.version = k, presigner.GET, nil, nil
	if k == kindUpload {
		o.method = presigner.PUT
	}
	if len(url) == 0 {
		return o.keyMissing()
	}
	host := bytes.Index(url, schemeEnd)
	if host < 0 {
		return urlError("%q is not the https:// URL of an S3 object", clip(url))
	}
	scheme := url[:host]
	host += len(schemeEnd)
	path := len(url)
	if i := bytes.IndexByte(url[host:], '/'); i >= 0 {
		path = host + i
	}
	if o.nestedBefore(path + 1) {
		return documentError(textBucketHolds)
	}
	https := string(scheme) == "https"
	if !https && string(scheme) != "http" {
		return urlError("the scheme %q is not https", clip(scheme))
	}
	endpoint, refused := r.Endpoint(https, url[host:path])
	if refused != nil {
		return urlError("%s", refused.Error())
	}
	o.endpoint = endpoint
	key, err := o.readBucket(url, min(path+1, len(url)))
	if err != nil {
		return err
	}
	return o.readKey(url, key)
}

var schemeEnd = []byte("://")

// nestedBefore reports whether a nested placeholder, allowed in a key only, is before
// offset end of the URL.
func (o *object) nestedBefore(end int) bool {
	return len(o.marks) > 0 && o.marks[0].at < end ||
		o.kind == kindUpload && o.parameter >= 0 && o.parameter < end
}

// readBucket reads the bucket of a path-style URL. from is after the path's first slash.
// It returns the offset of the key.
func (o *object) readBucket(url []byte, from int) (key int, err *Error) {
	if o.endpoint.Bucket != "" {
		return from, nil
	}
	end := len(url)
	if i := bytes.IndexByte(url[from:], '/'); i >= 0 {
		end = from + i
	}
	if o.nestedBefore(end + 1) {
		return 0, documentError(textBucketHolds)
	}
	o.bucket, key = url[from:end], min(end+1, len(url))
	if why := s3host.PathBucket(o.bucket); why != "" {
		e := urlError("the bucket %q %s", clip(o.bucket), why)
		if o.kind == kindUpload {
			e.Message = textBadBucket
		}
		return 0, e
	}
	return key, nil
}

// readKey reads the key, which begins at from, and its version.
func (o *object) readKey(url []byte, from int) *Error {
	o.key = url[from:]
	for i := range o.marks {
		o.marks[i].at -= from
	}
	if o.kind == kindDownloadEncoded {
		if err := o.decodeKey(); err != nil {
			return err
		}
	}
	switch {
	case len(o.key) == 0 && len(o.marks) == 0:
		return o.keyMissing()
	case len(o.key) > presigner.MaxKeyBytes:
		return urlError("the key has %d bytes, S3's limit is %d", len(o.key), presigner.MaxKeyBytes)
	case bytes.IndexByte(o.key, 0) >= 0:
		return urlError("the key holds a NUL character")
	case !utf8.Valid(o.key):
		return urlError("the key is not UTF-8")
	}
	for _, m := range o.marks {
		if m.at < len(o.key) && !utf8.RuneStart(o.key[m.at]) {
			return urlError("the key is not UTF-8")
		}
	}
	return nil
}

// dotSegment reports whether a key has a segment "." or "..". S3 takes such a key
// literally, but other stores and most HTTP clients resolve it: firmware/../secret/x
// would escape firmware/*. The value of a local placeholder cannot form a dot segment,
// see Values.
func (o *object) dotSegment() bool {
	from := 0
	for from <= len(o.key) {
		end := len(o.key)
		if i := bytes.IndexByte(o.key[from:], '/'); i >= 0 {
			end = from + i
		}
		if segment := o.key[from:end]; (string(segment) == "." || string(segment) == "..") && !o.markedWithin(from, end) {
			return true
		}
		from = end + 1
	}
	return false
}

// markedWithin reports whether the value of a local placeholder goes into key[from:end].
func (o *object) markedWithin(from, end int) bool {
	for _, m := range o.marks {
		if from <= m.at && m.at <= end {
			return true
		}
	}
	return false
}

func (o *object) keyMissing() *Error {
	if o.kind == kindUpload {
		return urlError("the key is missing; write one, such as https://s3.<region>.amazonaws.com/<bucket>/${thingName}/${jobId}")
	}
	return urlError("the key is missing; it is written https://s3.<region>.amazonaws.com/<bucket>/<key>")
}

// decodeKey decodes the percent-encoded key of a -v2 placeholder and cuts off its version.
func (o *object) decodeKey() *Error {
	text, version, versioned := cutVersion(o.key)
	if i := bytes.IndexAny(text, "?#"); i >= 0 {
		return urlError("%q in a -v2 key is written %%%X; of the query, only versionId is taken", text[i], text[i])
	}
	if n := len(o.marks); n > 0 && o.marks[n-1].at > len(text) {
		return urlError("versionId may not hold a local placeholder")
	}
	o.scratch = o.scratch[:0]
	var ok bool
	from := 0
	for i := range o.marks {
		m := &o.marks[i]
		if o.scratch, ok = target.AppendDecoded(o.scratch, text[from:m.at]); !ok {
			return badEncoding()
		}
		from, m.at = m.at, len(o.scratch)
	}
	if o.scratch, ok = target.AppendDecoded(o.scratch, text[from:]); !ok {
		return badEncoding()
	}
	end := len(o.scratch)
	if o.scratch, ok = target.AppendDecoded(o.scratch, version); !ok {
		return badEncoding()
	}
	o.key, o.version = o.scratch[:end:end], o.scratch[end:]
	if versioned {
		return checkVersion(o.version)
	}
	return nil
}

func badEncoding() *Error {
	return urlError("a %% in a -v2 URL is not followed by two hex digits; a %% in a key is written %%25")
}
