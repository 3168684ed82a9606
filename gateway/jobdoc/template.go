package jobdoc

import (
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/gateway/target"
	"jobgate/presigner"
)

// Template is a compiled document: its literal text, and holes for URLs. It is
// immutable and safe for concurrent use, and retains nothing of the parsed bytes. It
// must not be copied.
//
// A rendering reads two blocks of memory: the Template and a string with all its text. With more templates than fit in the
// processor's caches, each further block costs 0.2 µs a rendering.
type Template struct {
	text        string    // all literals in a row
	holes       []urlHole // a slice of first, if there is one
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
	marks    []mark // positions of values in target.Path; nil if the URL is the same for all devices
	keyBytes int    // of the key, decoded and without values
	line     int32
	column   int32
	keyAt    int32 // offset of the key in target.Path
	method   presigner.Method
	ask      bool // check the policy for each device's key
}

// Size returns the bytes of memory that t keeps alive, for a cache's budget, without
// what templates share (policy, resolver, names of hosts and regions).
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

// Sizes of the structs on 64-bit machines; checked by a test.
const (
	templateBytes = 240
	urlHoleBytes  = 176
	markBytes     = 16
)

// Placeholders returns how many URLs a rendering holds.
func (t *Template) Placeholders() int { return len(t.holes) }

// Signatures returns how many signatures of code files went into the text.
func (t *Template) Signatures() int { return int(t.signatures) }

// Signs reports whether a rendering needs a signer.
func (t *Template) Signs() bool { return len(t.holes) > 0 }

// Uploads reports whether one of the URLs is for PUT.
func (t *Template) Uploads() bool { return t.uploads }

// PerDevice reports whether renderings differ from device to device.
func (t *Template) PerDevice() bool { return t.locals != 0 }

// Locals returns the local placeholders that a rendering needs values for.
func (t *Template) Locals() Locals { return t.locals }

// NeedsRole returns AWS's error for a document with URLs but no role to sign them, with
// the position of the first placeholder; nil if t has none.
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

// place sets an error's position to the placeholder's.
func (h *urlHole) place(e *Error) *Error {
	if e.Line == 0 {
		e.Line, e.Column = int(h.line), int(h.column)
		e.Placeholder = redact([]byte(h.target.Origin + h.target.Path[:h.keyAt] + h.key()))
	}
	return e
}
