// Package jobdoc is the document language: AWS IoT job documents whose
// placeholders are filled with presigned S3 URLs. It is pure: no I/O, no clock and
// no AWS; the time and the signer are arguments.
//
//	document ─scan──▶ placeholder ─grammar─▶ object ─hosts─▶ endpoint ─policy─▶ allowed
//	scan.go           jsontext/ nested.go    s3url.go         s3host/           policy.go
//	walk.go           grammar.go             version.go                         glob/
//	                                                                   │
//	              ┌────────────────────────────────────────────────────┤
//	              ▼                                                    ▼
//	Parse ──▶ Template (literals and holes) ──AppendTo──▶ dst    Fill ──▶ dst
//	parse.go  template.go, read by any number of requests        fill.go, once, in flight
//
// # The language
//
// Text that begins with the literal "${aws:iot:" is a placeholder; everything else is
// copied unchanged, byte for byte.
//
//	${aws:iot:s3-presigned-url:URL}         download; the key not encoded, no version
//	${aws:iot:s3-presigned-url-v2:URL}      download; the key percent-encoded, %3FversionId%3D… at its end
//	${aws:iot:s3-presigned-url-upload:URL}  upload (PUT); the key not encoded
//	${aws:iot:parameter:NAME}               Options.Parameters[NAME]
//	${aws:iot:package:…}                    known, not resolved yet: ErrNotResolved
//	${aws:iot:code-sign-signature:FILE}     a whole JSON string; becomes the object with the signature
//	${aws:iot:code-sign-signature-value:FILE}  in a JSON string; becomes the signature in base64
//
// FILE is s3://<region>.<bucket>/<key>@<versionId>, the key not encoded. Signatures come
// from Options.Signatures and become literal text; without it these placeholders are
// refused with ErrNotResolved.
//
// A key may contain ${thingName}, ${jobId} and ${executionNumber}, at most two of each,
// and ${aws:iot:parameter:NAME}, whose value is inserted as text before the URL is
// parsed. AWS allows local placeholders in uploads only; Options.Strict restores that
// and AWS's other restrictions.
//
// A '}' ends a placeholder, so a key with a '}' needs the -v2 form and %7D. A key with
// "?versionId=" needs the -v2 form with one of its letters encoded (%3F%76ersionId%3D),
// or the v1 form, which has no versions.
//
// An upload placeholder without a key is refused: AWS documents that it generates
// one, but not what the placeholder then looks like.
//
// # JSON
//
// A placeholder is in a JSON string, and JSON's escapes in it are decoded before it is
// parsed. A string that itself contains a document (jobDocument in AWS's answers) is one
// level deeper, and so are its escapes, down to eight levels. A parameter's value is
// escaped for its position. Outside a string it becomes a JSON value: its own text if
// that is one, else a string. A URL needs no escaping; its '&' is not escaped. Text that
// does not begin like JSON (or Options.PlainText) has no escapes.
package jobdoc
