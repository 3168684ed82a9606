// Package target reads a request's target (RFC 9112 §3.2) once, for everybody who asks about it.
//
//	http://host/things/t%3A1/jobs?maxResults=2     absolute form: the authority is left out
//	           └──── Path ───────┘└── Query ──┘
//	           └────────── Origin ────────────┘    origin form: what a proxy forwards
//	            things · t:1 · jobs                Segments: split at raw slashes, then decoded once
//
// Parse refuses what is no target. A path that some servers would read as another one (empty and dot segments, encoded
// slashes, broken escapes) parses, and Spelling says why it is ambiguous: whoever has proven who asks refuses it, so that
// nobody behind reads another thing's name in it.
//
// The package imports nothing of the project and allocates nothing once a Target's buffer has grown.
package target

import "errors"

// MaxSegments is the largest number of segments that Segments returns.
const MaxSegments = 24

// What Parse and Spelling find wrong. The texts are for clients.
var (
	ErrForm      = errors.New("the request target must begin with / or be an absolute http URL (RFC 9112 §3.2)")
	ErrCharacter = errors.New("the request target holds a space, a control character or # (RFC 9112 §3.2)")

	ErrEscape       = errors.New("the path is not percent-encoded: % must be followed by two hexadecimal digits (RFC 3986 §2.1)")
	ErrEmptySegment = errors.New("the path holds an empty segment, //; it must have one spelling only")
	ErrDotSegment   = errors.New("the path holds a dot segment, . or ..; it must have one spelling only")
	ErrBackslash    = errors.New("the path holds a backslash; it must have one spelling only")
	ErrEncoded      = errors.New("the path holds an encoded slash, backslash, dot or control character (%2F, %5C, %2E, %00); it must have one spelling only")
)

// Target is a request's target, taken apart. Its slices refer to the bytes that Parse was given and to its own buffer:
// they are valid until the next Parse, and as long as those bytes. It is not safe for concurrent use; reuse it, its zero
// value is ready.
type Target struct {
	origin, path, query []byte

	segments [MaxSegments][]byte
	n        int  // segments
	long     bool // more than MaxSegments

	spelling error // why the path has other spellings; nil if it has none
	scratch  []byte
}

// Parse takes a request target apart. After an error, which is ErrForm or ErrCharacter, the target is empty.
func (t *Target) Parse(uri []byte) error {
	t.reset()
	err := t.originForm(uri)
	if err == nil {
		err = t.split()
	}
	if err != nil {
		t.reset()
	}
	return err
}

// Path returns the path as sent.
func (t *Target) Path() []byte { return t.path }

// Query returns the query as sent, without its question mark; nil if there is none.
func (t *Target) Query() []byte { return t.query }

// Origin returns the target in origin form: path and query as sent.
func (t *Target) Origin() []byte { return t.origin }

// Segments returns the parts of the path between raw slashes, each decoded once; nil if there are more than MaxSegments.
// The path "/" has one, which is empty, and a path that ends with a slash has an empty last one. Where Spelling is
// ErrEscape, segments that cannot be decoded stand as they were sent.
func (t *Target) Segments() [][]byte {
	if t.long {
		return nil
	}
	return t.segments[:t.n]
}

// Spelling returns nil if servers that normalise paths read the same one, and else what makes them differ:
// ErrEscape, whatever else there is, ErrEmptySegment, ErrDotSegment, ErrBackslash or ErrEncoded.
func (t *Target) Spelling() error { return t.spelling }

func (t *Target) reset() {
	t.origin, t.path, t.query = nil, nil, nil
	t.n, t.long, t.spelling, t.scratch = 0, false, nil, t.scratch[:0]
}

// originForm sets origin: uri, or what follows the authority of its absolute form (RFC 9112 §3.2.2).
func (t *Target) originForm(uri []byte) error {
	// Fast path: origin form.
	if len(uri) > 0 && uri[0] == '/' {
		t.origin = uri
		return nil
	}
	rest, ok := cutScheme(uri)
	if !ok {
		return ErrForm
	}
	end := 0
	for end < len(rest) && rest[end] != '/' && rest[end] != '?' && rest[end] != '#' {
		if classes[rest[end]] != plain && classes[rest[end]] != percent {
			return ErrCharacter
		}
		end++
	}
	switch {
	case end == 0:
		return ErrForm // no authority
	case end == len(rest) || rest[end] != '/':
		t.scratch = append(append(t.scratch, '/'), rest[end:]...) // an empty path is / (RFC 9112 §3.2.1)
		t.origin = t.scratch
	default:
		t.origin = rest[end:]
	}
	return nil
}

// cutScheme returns what follows "http://" or "https://".
func cutScheme(uri []byte) ([]byte, bool) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(uri) >= len(scheme) && equalFold(uri[:len(scheme)], scheme) {
			return uri[len(scheme):], true
		}
	}
	return nil, false
}

// equalFold compares with a lower-case text, whatever the case of b's letters.
func equalFold(b []byte, lower string) bool {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// split takes origin apart, in one pass.
func (t *Target) split() error {
	origin := t.origin
	start, end, escaped := 1, len(origin), false
	for i := 1; i < len(origin); i++ {
		class := classes[origin[i]]
		if class == plain {
			continue
		}
		if class == question {
			t.query, end = origin[i+1:], i
			break
		}
		switch class {
		case percent:
			escaped = true
		case backslash:
			t.doubt(ErrBackslash)
		case slash:
			t.add(origin[start:i], escaped, false)
			start, escaped = i+1, false
		case refused:
			return ErrCharacter
		}
	}
	for _, c := range t.query {
		if classes[c] == refused {
			return ErrCharacter
		}
	}
	t.path = origin[:end]
	t.add(origin[start:end], escaped, true)
	return nil
}

// add takes the next segment.
func (t *Target) add(segment []byte, escaped, last bool) {
	if escaped {
		segment = t.decode(segment)
	}
	if len(segment) == 0 && !last {
		t.doubt(ErrEmptySegment)
	}
	if len(segment) > 0 && segment[0] == '.' && isDots(segment) {
		t.doubt(ErrDotSegment)
	}
	if t.n == MaxSegments {
		t.long = true
		return
	}
	t.segments[t.n] = segment
	t.n++
}

// decode returns a segment decoded, in the buffer; as it is if it cannot be.
func (t *Target) decode(segment []byte) []byte {
	from := len(t.scratch)
	var ok bool
	if t.scratch, ok = AppendDecoded(t.scratch, segment); !ok {
		t.spelling = ErrEscape
		return segment
	}
	t.doubtEscapes(segment)
	return t.scratch[from:]
}

// isDots says whether a segment is . or .., or one with parameters (RFC 3986 §3.3), which some servers cut off first.
func isDots(segment []byte) bool {
	dots := 0
	for dots < len(segment) && segment[dots] == '.' {
		dots++
	}
	return dots <= 2 && (dots == len(segment) || segment[dots] == ';')
}

// doubtEscapes looks for escapes, known to be well-formed, of what means something in a path.
func (t *Target) doubtEscapes(segment []byte) {
	for i := 0; i < len(segment); i++ {
		if segment[i] != '%' {
			continue
		}
		switch c := unhex[segment[i+1]]<<4 | unhex[segment[i+2]]; {
		case c == '/', c == '\\', c == '.', c < ' ', c == 0x7f:
			t.doubt(ErrEncoded)
		}
		i += 2
	}
}

// doubt keeps the first reason.
func (t *Target) doubt(why error) {
	if t.spelling == nil {
		t.spelling = why
	}
}

// The classes of a target's bytes.
const (
	plain = iota
	percent
	slash
	backslash
	question
	refused
)

var classes = func() (t [256]uint8) {
	for c := range ' ' + 1 {
		t[c] = refused
	}
	t[0x7f], t['#'] = refused, refused
	t['%'], t['/'], t['\\'], t['?'] = percent, slash, backslash, question
	return t
}()
