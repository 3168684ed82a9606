package jobdoc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strconv"
	"unicode/utf8"

	"jobgate/gateway/jobdoc/jsontext"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/presigner"
)

// CodeFile names one version of an object in S3, a code file that is signed. All fields
// are plain, decoded values.
type CodeFile struct {
	Region  string
	Bucket  string
	Key     string
	Version string
}

// String returns the file as a placeholder names it, s3://region.bucket/key@version.
func (f CodeFile) String() string {
	return "s3://" + f.Region + "." + f.Bucket + "/" + f.Key + "@" + f.Version
}

// CodeSignature is the signature of a code file.
type CodeSignature struct {
	Size      int64  // of the file, in bytes
	Value     []byte // DER for ECDSA, PKCS #1 v1.5 for RSA
	Algorithm string // SHA256withECDSA or SHA256withRSA
}

// CodeSignatures returns the signatures for code-sign placeholders, which become literal
// text of the document. It decides which files may be signed, and whether to make
// signatures or only look up existing ones. An error that is worth a retry wraps
// [ErrNotSigned]. It is safe for concurrent use.
type CodeSignatures interface {
	CodeSignature(f CodeFile) (CodeSignature, error)
}

// ErrNotSigned says that a signature is not available now, but may be later.
var ErrNotSigned = errors.New("jobdoc: no signature yet")

// Names of the placeholders of code signing.
const (
	nameCodeSign      = "code-sign-signature"       // AWS's: a whole JSON string, becomes an object
	nameCodeSignValue = "code-sign-signature-value" // jobgate's own: becomes the base64 alone
)

const codeFileForm = "s3://<region>.<bucket>/<key>@<versionId>"

var codeSignPrefix = []byte(nameCodeSign + ":")

// stringAround returns the JSON string that consists of the placeholder at w.start. ok is
// false if the placeholder is only part of a string, or outside of one.
func (w *walker) stringAround() (s jsontext.Span, ok bool) {
	depth := w.depth()
	if depth == 0 || depth > jsontext.MaxDepth {
		return jsontext.Span{}, false
	}
	if _, err := w.body(); err != nil {
		return jsontext.Span{}, false // placeholder reports the error
	}
	text, all := w.depths.Last(depth)
	return all, text == jsontext.Span{Start: w.start, End: w.end}
}

// codeSign fills a code-sign placeholder.
func (w *walker) codeSign(k kind, rest []byte) *Error {
	signatures := w.options.Signatures
	if signatures == nil {
		return notResolved(k.codeSignName(), "code signing is not configured for this document; see codesign.profiles, and codesign of a fill route or the sidecar")
	}
	if err := w.codeSignPlace(k); err != nil {
		return err
	}
	f, err := readCodeFile(w.options.resolver(), k, rest)
	if err != nil {
		return err
	}
	s, cause := signatures.CodeSignature(f)
	if cause != nil {
		e := requestError("Cannot sign the code file of a %s placeholder", k.codeSignName())
		e.Detail, e.Err = cause.Error(), cause
		return e
	}
	w.signatures++
	escapes := w.options.literalEscapes()
	if k == kindCodeSignValue {
		w.sink.literal(base64.StdEncoding.AppendEncode(nil, s.Value), escapes) // base64 needs no escapes
		return nil
	}
	w.sink.literal(appendSignature(nil, &f, &s), escapes+w.depth()-1)
	w.end = w.whole.End
	return nil
}

// codeSignPlace returns an error if a placeholder of kind k is not allowed at its position.
func (w *walker) codeSignPlace(k kind) *Error {
	depth := w.depth()
	switch {
	case k == kindCodeSignValue && w.options.Strict:
		return documentError("Placeholders of kind %s are not AWS's and are refused in strict mode; use %s", nameCodeSignValue, nameCodeSign)
	case depth > jsontext.MaxDepth:
		return tooDeep()
	case w.options.PlainText:
		return documentError("Placeholders of kind %s stand in JSON documents only, and this one's Content-Type is not JSON's; give the object, or the route's content_type, application/json", k.codeSignName())
	case w.json == jsonNo:
		return documentError("Placeholders of kind %s stand in JSON documents only", k.codeSignName())
	case depth == 0:
		return documentError(`A %s placeholder has to be written as a JSON string: "${aws:iot:%s:%s}"`, k.codeSignName(), k.codeSignName(), codeFileForm)
	case k == kindCodeSign && w.whole == jsontext.Span{}:
		return documentError("A %s placeholder has to be a JSON string by itself, because an object takes its place; for the signature alone, within a string, use %s", nameCodeSign, nameCodeSignValue)
	case k == kindCodeSign && w.wholeIsName():
		return documentError("A %s placeholder cannot be the name of a member, because an object takes its place; write it as the member's value", nameCodeSign)
	}
	return nil
}

// wholeIsName reports whether w.whole is the name of an object's member: a colon follows.
func (w *walker) wholeIsName() bool {
	r := jsontext.Reader{Doc: w.doc, Pos: w.whole.End}
	for {
		switch u := r.Next(w.depth() - 1); u {
		case ' ', '\t', '\r', '\n':
		default:
			return u == ':'
		}
	}
}

// codeSignElsewhere rejects a code-sign placeholder in the value of a parameter or in
// another placeholder: whoever chooses a value could have anything signed.
func codeSignElsewhere(k kind, where string) *Error {
	return notResolved(k.codeSignName(), "one cannot stand in "+where+"; write it into the document itself")
}

func (k kind) codeSignName() string {
	if k == kindCodeSignValue {
		return nameCodeSignValue
	}
	return nameCodeSign
}

// readCodeFile parses what follows the kind of a code-sign placeholder. The key is not
// percent-encoded, and the last '@' begins the version.
func readCodeFile(r *s3host.Resolver, k kind, text []byte) (CodeFile, *Error) {
	if bytes.Contains(text, dollarBrace) {
		return CodeFile{}, documentError("A %s placeholder may not hold another placeholder; it names one version of one file", k.codeSignName())
	}
	rest, ok := bytes.CutPrefix(text, []byte("s3://"))
	if !ok {
		return CodeFile{}, codeFileError("it is written %s%s", codeFileForm, suggestedForm(r, text))
	}
	place, path, _ := bytes.Cut(rest, []byte("/"))
	region, bucket, found := bytes.Cut(place, []byte("."))
	if !found || !isRegionLabel(region) {
		return CodeFile{}, codeFileError("%q is not <region>.<bucket>, such as us-east-1.firmware; it is written %s", clip(place), codeFileForm)
	}
	if why := s3host.PathBucket(bucket); why != "" {
		return CodeFile{}, codeFileError("the bucket %q %s", clip(bucket), why)
	}
	i := bytes.LastIndexByte(path, '@')
	if i < 0 {
		return CodeFile{}, codeFileError("it names no version, and a file without one can change after it was signed; write s3://%s/%s@<versionId>, which aws s3api head-object --bucket %s --key … prints", place, clip(path), bucket)
	}
	f := CodeFile{Region: string(region), Bucket: string(bucket), Key: string(path[:i]), Version: string(path[i+1:])}
	return f, f.check()
}

// check validates the key and the version.
func (f *CodeFile) check() *Error {
	o := object{key: []byte(f.Key)}
	switch {
	case f.Key == "":
		return codeFileError("the key is missing; it is written %s", codeFileForm)
	case len(f.Key) > presigner.MaxKeyBytes:
		return codeFileError("the key has %d bytes, S3's limit is %d", len(f.Key), presigner.MaxKeyBytes)
	case !utf8.ValidString(f.Key) || bytes.IndexByte(o.key, 0) >= 0:
		return codeFileError("the key is not UTF-8, or holds a NUL character")
	case o.dotSegment():
		return codeFileError(`the key has a segment "." or ".."`)
	case f.Version == "null":
		return codeFileError("version null is that of an object from before the bucket was versioned, whose bytes can change; switch versioning on, upload the file again and name its new version")
	}
	if err := checkVersion([]byte(f.Version)); err != nil {
		return codeFileError("%s; it is written %s", err.Detail, codeFileForm)
	}
	return nil
}

// suggestedForm returns, for an error, an S3 URL in the form that code-sign placeholders use.
func suggestedForm(r *s3host.Resolver, url []byte) string {
	var o object
	if err := o.read(r, kindDownloadEncoded, url); err != nil || len(o.key) == 0 {
		return ""
	}
	bucket := o.endpoint.Bucket
	if bucket == "" {
		bucket = string(o.bucket)
	}
	version := "<versionId>"
	if len(o.version) > 0 {
		version = string(o.version)
	}
	return "; here " + CodeFile{r.RegionOf(o.endpoint, o.bucket), bucket, string(o.key), version}.String()
}

// isRegionLabel reports whether s can be a region, AWS's or that of another store.
func isRegionLabel(s []byte) bool {
	for _, c := range s {
		if !isLower(c) && !isDigit(c) && c != '-' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63
}

func codeFileError(format string, args ...any) *Error {
	e := requestError("Provided argument for code signing is invalid")
	e.Detail = requestError(format, args...).Message
	return e
}

// appendSignature appends the same object as AWS Signer's platform for device management.
func appendSignature(dst []byte, f *CodeFile, s *CodeSignature) []byte {
	dst = append(dst, `{"rawPayloadSize":`...)
	dst = strconv.AppendInt(dst, s.Size, 10)
	dst = append(dst, `,"signature":"`...)
	dst = base64.StdEncoding.AppendEncode(dst, s.Value)
	dst = append(dst, `","signatureAlgorithm":"`...)
	dst = append(dst, s.Algorithm...)
	if *f == (CodeFile{}) {
		return append(dst, `"}`...)
	}
	dst = append(dst, `","payloadLocation":{"s3":{"bucketName":"`...)
	dst = append(dst, f.Bucket...)
	dst = append(dst, `","key":"`...)
	dst = jsontext.AppendEscaped(dst, []byte(f.Key), 1)
	dst = append(dst, `","version":"`...)
	dst = jsontext.AppendEscaped(dst, []byte(f.Version), 1)
	return append(dst, `"}}}`...)
}

// SignatureObject returns the JSON object that replaces a code-sign-signature placeholder
// for f. With the zero CodeFile, for a file that is not in S3, it has no location.
func SignatureObject(f CodeFile, s CodeSignature) []byte { return appendSignature(nil, &f, &s) }

// ParseCodeFile reads what a code-sign placeholder names, s3://region.bucket/key@version.
func ParseCodeFile(text string) (CodeFile, error) {
	f, err := readCodeFile(s3host.AWS, kindCodeSign, []byte(text))
	if err != nil {
		return CodeFile{}, err
	}
	return f, nil
}

// CodeFiles returns the files that doc's code-sign placeholders name, each once. It
// ignores errors in other placeholders. A nil o means the zero Options.
func CodeFiles(doc []byte, o *Options) []CodeFile {
	if Scan(doc) < 0 {
		return nil
	}
	recording := *o.orDefault()
	r := &recorder{seen: map[CodeFile]bool{}}
	recording.Signatures = r
	recording.MaxDocument, recording.MaxPlaceholders = len(doc), len(doc) // Parse checks limits
	w := newWalker(doc, &recording, r)
	defer w.free()
	w.lenient = true
	_ = w.walk() // Parse reports errors
	return r.files
}

// recorder returns empty signatures and records the files.
type recorder struct {
	files []CodeFile
	seen  map[CodeFile]bool
}

func (*recorder) literal([]byte, int)   {}
func (*recorder) object(*object) *Error { return nil }

// CodeSignature implements CodeSignatures.
func (r *recorder) CodeSignature(f CodeFile) (CodeSignature, error) {
	if !r.seen[f] {
		r.seen[f] = true
		r.files = append(r.files, f)
	}
	return CodeSignature{}, nil
}
