// Package target parses a request's target (RFC 9112 §3.2) once, for all its users.
//
//	http://host/things/t%3A1/jobs?maxResults=2     absolute form: the authority is left out
//	           └──── Path ───────┘└── Query ──┘
//	           └────────── Origin ────────────┘    origin form: what a proxy forwards
//	            things · t:1 · jobs                Segments: split at raw slashes, then decoded once
//
// Parse rejects an invalid target. A path that servers may read differently (empty and dot segments, encoded slashes, broken
// escapes) parses, and Spelling says why it is ambiguous. A caller that authenticates devices rejects it, so that no server
// behind it reads another thing's name.
//
// The package imports nothing of the project and allocates nothing once a Target's buffer has grown.
package target

import "errors"

// MaxSegments is the largest number of segments that Segments returns.
const MaxSegments = 24

// Errors of Parse and Spelling. The texts are for clients.
var (
	ErrForm      = errors.New("the request target must begin with / or be an absolute http URL (RFC 9112 §3.2)")
	ErrCharacter = errors.New("the request target contains a space, a control character or # (RFC 9112 §3.2)")

	ErrEscape       = errors.New("the path is not percent-encoded: % must be followed by two hexadecimal digits (RFC 3986 §2.1)")
	ErrEmptySegment = errors.New("the path contains an empty segment, //; ambiguous paths are rejected")
	ErrDotSegment   = errors.New("the path contains a dot segment, . or ..; ambiguous paths are rejected")
	ErrBackslash    = errors.New("the path contains a backslash; ambiguous paths are rejected")
	ErrEncoded      = errors.New("the path contains an encoded slash, backslash, dot or control character (%2F, %5C, %2E, %00); ambiguous paths are rejected")
)

// Target is a parsed request target. Its slices refer to the bytes given to Parse and to its own buffer: they are valid until
// the next Parse, while those bytes are. The zero value is ready for use; reuse it. It is not safe for concurrent use.
type Target struct {
	origin, path, query []byte

	segments [MaxSegments][]byte
	n        int  // segments
	long     bool // has more than MaxSegments

	spelling error // why the path is ambiguous; nil: it is not
	scratch  []byte
}

// Parse parses a request target. Its error is ErrForm or ErrCharacter; the target is empty then.
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
// The path "/" has one empty segment, and a path that ends with a slash has an empty last one. If Spelling is ErrEscape,
// segments that cannot be decoded are returned as sent.
func (t *Target) Segments() [][]byte {
	if t.long {
		return nil
	}
	return t.segments[:t.n]
}

// Spelling returns nil if normalizing the path does not change it. Otherwise it returns the reason: ErrEscape, which takes
// precedence, ErrEmptySegment, ErrDotSegment, ErrBackslash or ErrEncoded.
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

// equalFold compares b, ignoring its case, with a lower-case text.
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

// split splits origin in one pass.
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
		case invalid:
			return ErrCharacter
		}
	}
	for _, c := range t.query {
		if classes[c] == invalid {
			return ErrCharacter
		}
	}
	t.path = origin[:end]
	t.add(origin[start:end], escaped, true)
	return nil
}

// add adds a segment.
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

// decode returns a segment decoded into the buffer, or unchanged if it cannot be decoded.
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

// isDots reports whether a segment is . or .., or one with parameters (RFC 3986 §3.3), which some servers cut off first.
func isDots(segment []byte) bool {
	dots := 0
	for dots < len(segment) && segment[dots] == '.' {
		dots++
	}
	return dots <= 2 && (dots == len(segment) || segment[dots] == ';')
}

// doubtEscapes looks for escapes of characters that are special in a path. The escapes are well-formed.
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

// doubt records why the path is ambiguous. The first reason counts.
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
	invalid
)

var classes = func() (t [256]uint8) {
	for c := range ' ' + 1 {
		t[c] = invalid
	}
	t[0x7f], t['#'] = invalid, invalid
	t['%'], t['/'], t['\\'], t['?'] = percent, slash, backslash, question
	return t
}()
