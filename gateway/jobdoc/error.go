package jobdoc

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The classes of AWS IoT's exceptions that an Error belongs to.
const (
	ClassDocument = "InvalidJobDocumentException" // the document is wrong
	ClassRequest  = "InvalidRequestException"     // the document is well formed, but cannot be filled
)

// Causes that an Error may wrap, to be compared with errors.Is.
var (
	ErrTooLarge    = errors.New("jobdoc: over a limit")                   // see limits.*
	ErrNotAllowed  = errors.New("jobdoc: object is not allowed")          // see presign.allow, allow_upload
	ErrNotResolved = errors.New("jobdoc: placeholder not resolved")       // package…; code-sign-signature without Options.Signatures
	ErrNoCatalog   = fmt.Errorf("%w: no package catalog", ErrNotResolved) // package…
	ErrParameter   = errors.New("jobdoc: parameter is not available")     // not in Options.Parameters, or unusable
	ErrValue       = errors.New("jobdoc: value of a local placeholder")   // missing or unusable: the request's fault
	ErrNoSigner    = errors.New("jobdoc: no credentials to sign a URL")   // Context.Signer is nil
)

// AWS's texts, from its documentation of jobs and software packages.
const (
	textNotTerminated   = "One or more parameters or placeholders are not terminated."
	textUndefinedUpload = "Undefined placeholder, ${%s}, inside of presign url upload parameter"
	textLocalElsewhere  = "Local placeholder, ${%s}, is only valid inside of presign url upload"
	textTooManyLocals   = "The occurrence of local placeholder %s within S3 presigned url upload placeholder exceeds limit of %d."
	textBucketHolds     = "S3 bucket name in presigned url upload is not allowed to contain any placeholders"
	textSecondLayer     = "${aws:%s[...]} should not be the second layer pattern."
	textArtifactNested  = "${aws:iot:package:[...]:artifact:s3-presigned-url} cannot be nested inside another placeholder."
	textNamesInPair     = "Empty package name and version name have to be used in pair."
	textNullVersion     = "$null is not allowed to be referenced as a package version in job documents."
	textAllAttributes   = "The package version attribute placeholder for all attributes has to be a json value by itself and not appended with other strings or nested with other placeholders."
	textNoRole          = "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document."
	textBadURL          = "Provided argument for presigned url is invalid"
	textBadBucket       = "Given S3 bucket name is invalid."
)

// Error says what is wrong with a document and where. Every error of this package is
// an *Error, except NewPolicy's.
type Error struct {
	Line, Column int    // where the placeholder begins, from 1, columns in characters; 0 if there is no position
	Class        string // ClassDocument or ClassRequest
	Message      string // AWS's text if there is one
	Detail       string // details and how to fix it; "" if Message is enough
	Placeholder  string // the placeholder without its query, shortened; "" if none is the cause
	Err          error  // one of the Err… above, or the presigner's; may be nil
}

// Error returns position, text and placeholder in one line, for logs and terminals. It
// contains no credentials.
func (e *Error) Error() string {
	b := make([]byte, 0, 160)
	if e.Line > 0 {
		b = append(b, "line "...)
		b = strconv.AppendInt(b, int64(e.Line), 10)
		b = append(b, ", column "...)
		b = strconv.AppendInt(b, int64(e.Column), 10)
		b = append(b, ": "...)
	}
	b = append(b, e.Text()...)
	if e.Placeholder != "" {
		b = append(b, ", in "...)
		b = append(b, e.Placeholder...)
	}
	return string(b)
}

// Text returns Message and Detail in one sentence.
func (e *Error) Text() string {
	if e.Detail == "" {
		return e.Message
	}
	return strings.TrimSuffix(e.Message, ".") + ": " + e.Detail
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

func documentError(format string, args ...any) *Error {
	return &Error{Class: ClassDocument, Message: fmt.Sprintf(format, args...)}
}

func requestError(format string, args ...any) *Error {
	return &Error{Class: ClassRequest, Message: fmt.Sprintf(format, args...)}
}

// urlError is AWS's text for an S3 URL that cannot be signed, with the reason.
func urlError(format string, args ...any) *Error {
	return &Error{Class: ClassRequest, Message: textBadURL, Detail: fmt.Sprintf(format, args...)}
}

func overLimit(format string, value, limit int, setting string) *Error {
	e := documentError(format+"; see %s", value, limit, setting)
	e.Err = ErrTooLarge
	return e
}

// at sets e's position to doc[start:end], unless it has one already.
func (e *Error) at(doc []byte, start, end int) *Error {
	if e.Line == 0 {
		e.Line, e.Column = Position(doc, start)
		e.Placeholder = redact(doc[start:end])
	}
	return e
}

// Position returns the line and column of an offset in doc, both from 1, the column in characters.
func Position(doc []byte, offset int) (line, column int) {
	before := doc[:offset]
	line = 1 + bytes.Count(before, []byte{'\n'})
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

// maxShown is how many bytes of a placeholder an error shows: enough to find it.
const maxShown = 200

// redact returns a placeholder for an error: without query and user information, which
// may hold a secret, without control characters, and shortened.
func redact(raw []byte) string {
	whole := len(raw)
	for _, query := range []string{"?", "%3F", `\u003F`} {
		if i := indexFold(raw, query); i >= 0 {
			raw = raw[:i]
		}
	}
	codeSign := bytes.HasPrefix(raw, append(marker[:len(marker):len(marker)], nameCodeSign...)) // its '@' begins a version
	if !codeSign && (indexFold(raw, "@") >= 0 || indexFold(raw, `\u0040`) >= 0) {
		raw = raw[:bytes.IndexByte(raw, ':')+1] // there may be a password before an '@'
	}
	shown := strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r == 0x7f {
			return '.'
		}
		return r
	}, string(raw[:min(len(raw), maxShown)]))
	if len(shown) < whole {
		shown += "…}"
	}
	return shown
}

// indexFold is bytes.Index without regard to case.
func indexFold(text []byte, pattern string) int {
	for i := range len(text) - len(pattern) + 1 {
		if strings.EqualFold(string(text[i:i+len(pattern)]), pattern) {
			return i
		}
	}
	return -1
}
