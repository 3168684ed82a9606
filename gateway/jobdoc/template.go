package jobdoc

import (
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/gateway/target"
	"jobgate/presigner"
)

// Template is a compiled document: its literal text, and holes for URLs. It is
// immutable and safe for concurrent use, and it retains nothing of the bytes that it
// was parsed from. It must not be copied.
//
// What a rendering reads lies in two pieces, the Template and a string of all its text. Where the processor's caches hold
// few of many templates, each piece more costs a rendering 0.2 µs.
type Template struct {
	text        string    // all literals in a row
	holes       []urlHole // first, if it is one
	locals      Locals
	uploads     bool
	signatures  int32 // of code files, in the text
	maxRendered int
	policy      *Policy
	first       [1]urlHole
}

// urlHole is a place for a URL.
type urlHole struct {
	at       int // offset in the text
	target   presigner.Target
	endpoint *s3host.Endpoint
	bucket   string
	version  string // decoded
	marks    []mark // where in target.Path values go; nil if the URL is the same for all
	keyBytes int    // of the key, decoded and without values
	line     int32
	column   int32
	keyAt    int32 // where in target.Path the key begins
	method   presigner.Method
	ask      bool // the policy must be asked for each device's key
}

// Size returns the bytes of memory that t keeps alive, for a cache's budget. What
// templates share (policy, resolver, names of hosts and regions) is not counted.
func (t *Template) Size() int {
	size := templateBytes + len(t.text)
	if len(t.holes) > len(t.first) {
		size += len(t.holes) * urlHoleBytes
	}
	for i := range t.holes {
		h := &t.holes[i]
		size += len(h.target.Path) + len(h.bucket) + len(h.version) + len(h.target.Version) + cap(h.marks)*markBytes
	}
	return size
}

// Sizes of the structs on 64-bit machines; a test compares them.
const (
	templateBytes = 240
	urlHoleBytes  = 176
	markBytes     = 16
)

// Placeholders returns how many URLs a rendering holds.
func (t *Template) Placeholders() int { return len(t.holes) }

// Signatures returns how many signatures of code files went into the text.
func (t *Template) Signatures() int { return int(t.signatures) }

// Signs says whether a rendering needs a signer.
func (t *Template) Signs() bool { return len(t.holes) > 0 }

// Uploads says whether one of the URLs is for PUT.
func (t *Template) Uploads() bool { return t.uploads }

// PerDevice says whether renderings differ from device to device.
func (t *Template) PerDevice() bool { return t.locals != 0 }

// Locals returns the local placeholders that a rendering needs values for.
func (t *Template) Locals() Locals { return t.locals }

// NeedsRole returns AWS's error for a document whose URLs nobody may sign, with the
// place of the first placeholder, or nil if t has none.
func (t *Template) NeedsRole() error {
	if len(t.holes) == 0 {
		return nil
	}
	return t.holes[0].place(noSigner())
}

// Object is what one placeholder of a template names.
type Object struct {
	Line, Column int // of the placeholder in the document
	Method       presigner.Method
	Host         string // of the URL
	Region       string // that signs
	Bucket       string // or the access point's name
	Key          string // decoded; local placeholders as ${thingName}
	VersionID    string // decoded, "" for the current version
	PerDevice    bool   // Key holds local placeholders
}

// Objects returns what t's placeholders name, in their order. The slice is the caller's.
func (t *Template) Objects() []Object {
	objects := make([]Object, len(t.holes))
	for i := range t.holes {
		h := &t.holes[i]
		objects[i] = Object{
			Line: int(h.line), Column: int(h.column),
			Method: h.method, Host: h.target.Host, Region: h.target.Region,
			Bucket: h.bucket, Key: h.key(), VersionID: h.version,
			PerDevice: len(h.marks) > 0,
		}
	}
	return objects
}

// key returns the decoded key with its local placeholders.
func (h *urlHole) key() string {
	var key []byte
	from := int(h.keyAt)
	for _, m := range h.marks {
		key, _ = target.AppendDecoded(key, h.target.Path[from:m.at])
		key = append(append(append(key, dollarBrace...), m.name.String()...), '}')
		from = m.at
	}
	key, _ = target.AppendDecoded(key, h.target.Path[from:])
	return string(key)
}

// place completes an error with the placeholder's place in the document.
func (h *urlHole) place(e *Error) *Error {
	if e.Line == 0 {
		e.Line, e.Column = int(h.line), int(h.column)
		e.Placeholder = redact([]byte(h.target.Origin + h.target.Path[:h.keyAt] + h.key()))
	}
	return e
}
