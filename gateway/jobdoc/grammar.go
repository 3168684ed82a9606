package jobdoc

import (
	"bytes"
	"fmt"
)

// kind is the kind of a placeholder, the name after "${aws:iot:".
type kind uint8

const (
	kindUnknown         kind = iota
	kindDownload             // s3-presigned-url: the key not encoded
	kindDownloadEncoded      // s3-presigned-url-v2: the key percent-encoded, with a version if need be
	kindUpload               // s3-presigned-url-upload: PUT, the key not encoded
	kindParameter
	kindPackage
	kindCodeSign
	kindCodeSignValue
)

const knownKinds = "known are s3-presigned-url, s3-presigned-url-v2, s3-presigned-url-upload, parameter and code-sign-signature"

// classify splits the body of a placeholder into its kind and what follows the colon;
// of an unknown kind it returns the whole body.
func classify(body []byte) (kind, []byte) {
	name, rest, ok := bytes.Cut(body, colon)
	switch string(name) {
	case "s3-presigned-url-upload":
		return kindUpload, rest // also without a URL: s3url.go reports that
	case "s3-presigned-url", "s3-presigned-url-v1": // AWS's documentation has both names
		if ok {
			return kindDownload, rest
		}
	case "s3-presigned-url-v2":
		if ok {
			return kindDownloadEncoded, rest
		}
	case "parameter":
		if ok {
			return kindParameter, rest
		}
	case "package":
		if ok {
			return kindPackage, rest
		}
	case nameCodeSign:
		if ok {
			return kindCodeSign, rest
		}
	case nameCodeSignValue:
		if ok {
			return kindCodeSignValue, rest
		}
	}
	return kindUnknown, body
}

var colon = []byte{':'}

// parameter looks up a parameter. Names are AWS's: 1–128 of [a-zA-Z0-9_-].
func (o *Options) parameter(name []byte) (string, *Error) {
	if len(name) == 0 || len(name) > 128 {
		return "", parameterError("the name %q has %d characters, 1 to 128 are allowed", clip(name), len(name))
	}
	for _, c := range name {
		if !isAlphanumeric(c) && c != '_' && c != '-' {
			return "", parameterError("the name %q holds a character that is not in [a-zA-Z0-9_-]", clip(name))
		}
	}
	value, ok := o.Parameters[string(name)]
	if !ok {
		return "", parameterError("%q is not defined; see parameters", clip(name))
	}
	return value, nil
}

func parameterError(format string, args ...any) *Error {
	return &Error{Class: ClassRequest, Message: "Cannot fill a parameter placeholder", Detail: fmt.Sprintf(format, args...), Err: ErrParameter}
}

// packageError returns why a package placeholder (AWS's software package catalog) is
// refused: AWS's error if AWS refuses it too, else that jobgate has no package catalog.
// nested: it is in another placeholder; alone: it is a whole JSON value.
//
//	<package>:version:<version>:attributes[:<name>]
//	<package>:version:<version>:artifact[-location]:s3-presigned-url
func packageError(rest []byte, nested, alone bool) *Error {
	parts := bytes.Split(rest, colon)
	if len(parts) < 4 || string(parts[1]) != "version" {
		return documentError("Malformed package placeholder, ${aws:iot:package:%s}: it is written package:<name>:version:<version>:attributes:<attribute>", clip(rest))
	}
	name, version, what := parts[0], parts[2], string(parts[3])
	switch {
	case string(version) == "$null":
		return documentError(textNullVersion)
	case (len(name) == 0) != (len(version) == 0):
		return documentError(textNamesInPair)
	case nested && (what == "artifact" || what == "artifact-location"):
		return documentError(textArtifactNested)
	case what == "attributes" && len(parts) == 4 && (nested || !alone):
		return documentError(textAllAttributes)
	}
	e := notResolved("package", "write the value into the document, or use ${aws:iot:parameter:…}")
	e.Err = ErrNoCatalog
	return e
}

func notResolved(name, fix string) *Error {
	e := documentError("Placeholders of kind %s are not resolved yet", name)
	e.Detail, e.Err = fix, ErrNotResolved
	return e
}

// isWholeValue reports whether the current placeholder is a whole JSON value, with
// or without quotes.
func (w *walker) isWholeValue() bool {
	before := bytes.TrimRight(w.doc[:w.start], " \t\r\n")
	after := bytes.TrimLeft(w.doc[w.end:], " \t\r\n")
	if bytes.HasSuffix(before, quote) {
		return len(before) == w.start && bytes.HasPrefix(bytes.TrimLeft(w.doc[w.end:], `\`), quote)
	}
	return (len(before) == 0 || bytes.IndexByte([]byte(":,["), before[len(before)-1]) >= 0) &&
		(len(after) == 0 || bytes.IndexByte([]byte(",]}"), after[0]) >= 0)
}

// clip shortens text from a document for an error, and removes a query.
func clip(text []byte) string {
	if i := bytes.IndexByte(text, '?'); i >= 0 {
		text = text[:i]
	}
	const most = 80
	if len(text) > most {
		return string(bytes.ToValidUTF8(text[:most], nil)) + "…"
	}
	return string(bytes.ToValidUTF8(text, nil))
}

func isLower(c byte) bool        { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isAlphanumeric(c byte) bool { return isLower(c|0x20) || isDigit(c) }
