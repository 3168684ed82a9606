package jsontext

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Results of Reader.Next that are not characters.
const (
	End rune = -1 // the end of the document or of the current JSON string
	Bad rune = -2 // an invalid escape
)

// Reader reads text in JSON strings within JSON strings (RFC 8259 §7).
type Reader struct {
	Doc []byte
	Pos int // of what Next reads; may be moved
}

// Next returns the next character after decoding depth levels of strings: at depth 0
// the document itself, at depth 1 the text of a string in it, at depth 2 the text of a
// string in a document that is such a text. Unescaped characters beyond ASCII are
// returned byte by byte, to be copied as bytes.
func (r *Reader) Next(depth int) rune {
	if depth == 0 {
		if r.Pos >= len(r.Doc) {
			return End
		}
		c := r.Doc[r.Pos]
		r.Pos++
		return rune(c)
	}
	switch u := r.Next(depth - 1); u {
	case '"':
		return End
	case '\\':
		return r.escape(depth - 1)
	default:
		return u
	}
}

// escape reads what follows a backslash in text of the given depth.
func (r *Reader) escape(depth int) rune {
	switch u := r.Next(depth); u {
	case '"', '\\', '/':
		return u
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		return r.codePoint(depth)
	case End:
		return End
	default:
		return Bad
	}
}

// codePoint reads the four digits after \u, and a second \uXXXX if they are the first
// half of a surrogate pair.
func (r *Reader) codePoint(depth int) rune {
	first := r.hex4(depth)
	if !utf16.IsSurrogate(first) {
		return first
	}
	if r.Next(depth) != '\\' || r.Next(depth) != 'u' {
		return Bad
	}
	if c := utf16.DecodeRune(first, r.hex4(depth)); c != utf8.RuneError {
		return c
	}
	return Bad
}

func (r *Reader) hex4(depth int) rune {
	var v rune
	for range 4 {
		u := r.Next(depth)
		if u < 0 || u > 'f' {
			return Bad
		}
		digit, ok := unhex(byte(u))
		if !ok {
			return Bad
		}
		v = v<<4 | rune(digit)
	}
	return v
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
