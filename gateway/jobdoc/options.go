package jobdoc

import (
	"cmp"

	"jobgate/gateway/jobdoc/s3host"
)

// Default limits, for 0 in Options.
const (
	DefaultMaxDocument     = 1 << 20 // bytes
	DefaultMaxPlaceholders = 100
	DefaultMaxRendered     = 4 << 20 // bytes
)

// Options say how a document is parsed. The zero value parses JSON, accepts AWS's hosts,
// and allows every download and no upload. Parse and Fill do not change it, so many
// goroutines may share one Options; it must not be changed while in use.
type Options struct {
	// Strict restores AWS's restriction: local placeholders are allowed in the key
	// of an upload and nowhere else in the document.
	Strict bool
	// PlainText says that the document is not JSON, even if it looks like it:
	// nothing in it is unescaped or escaped.
	PlainText bool
	// JSONString escapes the result so that it fits between the quotes of a
	// JSON string, as jobDocument does in AWS's answers.
	JSONString bool

	MaxDocument     int // limits.max_document, bytes before filling; 0: DefaultMaxDocument
	MaxPlaceholders int // limits.max_placeholders; 0: DefaultMaxPlaceholders
	MaxRendered     int // limits.max_rendered, bytes after filling; 0: DefaultMaxRendered

	// Parameters are the values of ${aws:iot:parameter:NAME}. A value may hold
	// placeholders for S3, which are filled too.
	Parameters map[string]string
	// Resolver resolves S3 hosts; nil: AWS's, us-east-1 for the global endpoint.
	Resolver *s3host.Resolver
	// Signatures returns the signatures of code files; nil: code-sign placeholders
	// are refused with ErrNotResolved.
	Signatures CodeSignatures
	// Policy says which objects may be signed; nil: every download, no upload.
	Policy *Policy
}

var defaultOptions Options

func (o *Options) orDefault() *Options {
	if o == nil {
		return &defaultOptions
	}
	return o
}

func (o *Options) resolver() *s3host.Resolver {
	if o.Resolver == nil {
		return s3host.AWS
	}
	return o.Resolver
}

// literalEscapes is how many times the literal text is escaped as a JSON string.
func (o *Options) literalEscapes() int {
	if o.JSONString {
		return 1
	}
	return 0
}

func (o *Options) maxRendered() int { return cmp.Or(o.MaxRendered, DefaultMaxRendered) }

// checkDocument returns an error if doc exceeds limits.max_document.
func (o *Options) checkDocument(doc []byte) *Error {
	if limit := cmp.Or(o.MaxDocument, DefaultMaxDocument); len(doc) > limit {
		return overLimit("The job document has %d bytes, the limit is %d", len(doc), limit, "limits.max_document")
	}
	return nil
}

// checkRendered returns an error if n bytes exceed limits.max_rendered.
func checkRendered(n, limit int) *Error {
	if n > limit {
		return overLimit("The filled job document has at least %d bytes, the limit is %d", n, limit, "limits.max_rendered")
	}
	return nil
}
