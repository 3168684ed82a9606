package jobdoc

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

// What a reader returns besides characters.
const (
	unitEnd rune = -1 // the document or the JSON string around the place is over
	unitBad rune = -2 // an escape that JSON does not know
)

// reader reads text that stands in JSON strings within JSON strings (RFC 8259 §7).
type reader struct {
	doc []byte
	pos int
}

// next returns the next character as it reads after depth strings were decoded: at
// depth 0 the document's own, at depth 1 the text of a string in it, at depth 2 the
// text of a string in a document that is such a text. Of a character that is not
// ASCII and not escaped it returns the bytes one by one; who copies text copies those
// by themselves.
func (r *reader) next(depth int) rune {
	if depth == 0 {
		if r.pos >= len(r.doc) {
			return unitEnd
		}
		c := r.doc[r.pos]
		r.pos++
		return rune(c)
	}
	switch u := r.next(depth - 1); u {
	case '"':
		return unitEnd
	case '\\':
		return r.escape(depth - 1)
	default:
		return u
	}
}

// escape reads what follows a backslash in text of the given depth.
func (r *reader) escape(depth int) rune {
	switch u := r.next(depth); u {
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
	case unitEnd:
		return unitEnd
	default:
		return unitBad
	}
}

// codePoint reads the four digits behind \u, and a second \uXXXX if they are the
// first half of a surrogate pair.
func (r *reader) codePoint(depth int) rune {
	first := r.hex4(depth)
	if !utf16.IsSurrogate(first) {
		return first
	}
	if r.next(depth) != '\\' || r.next(depth) != 'u' {
		return unitBad
	}
	if c := utf16.DecodeRune(first, r.hex4(depth)); c != utf8.RuneError {
		return c
	}
	return unitBad
}

func (r *reader) hex4(depth int) rune {
	var v rune
	for range 4 {
		u := r.next(depth)
		if u < 0 || u > 'f' {
			return unitBad
		}
		digit, ok := unhex(byte(u))
		if !ok {
			return unitBad
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

// appendEscaped appends text as it must stand within as many JSON strings as times
// says: 0 leaves it as it is. Only what JSON demands is escaped: '"', '\' and control
// characters; a byte that is not UTF-8 becomes U+FFFD.
func appendEscaped(dst, text []byte, times int) []byte {
	if times == 0 {
		return append(dst, text...)
	}
	done := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= utf8.RuneSelf {
			_, size := utf8.DecodeRune(text[i:])
			if size == 1 {
				dst = append(dst, text[done:i]...)
				dst = append(dst, "\uFFFD"...)
				done = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, text[done:i]...)
			dst = appendEscapedByte(dst, c, times)
			done = i + 1
		}
		i++
	}
	return append(dst, text[done:]...)
}

// appendEscapedByte appends an ASCII character, escaped times times.
func appendEscapedByte(dst []byte, c byte, times int) []byte {
	if times == 0 || (c >= ' ' && c != '"' && c != '\\') {
		return append(dst, c)
	}
	dst = appendEscapedByte(dst, '\\', times-1)
	switch c {
	case '"', '\\':
		return appendEscapedByte(dst, c, times-1)
	case '\b':
		return append(dst, 'b')
	case '\f':
		return append(dst, 'f')
	case '\n':
		return append(dst, 'n')
	case '\r':
		return append(dst, 'r')
	case '\t':
		return append(dst, 't')
	}
	const digits = "0123456789abcdef"
	return append(dst, 'u', '0', '0', digits[c>>4], digits[c&15])
}

// isJSONValue says whether text is one JSON value: json.Valid, which allocates for
// what it refuses, is asked about objects, arrays and strings only.
func isJSONValue(text []byte) bool {
	text = bytes.Trim(text, " \t\r\n")
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case '{', '[', '"':
		return json.Valid(text)
	}
	return string(text) == "true" || string(text) == "false" || string(text) == "null" || isJSONNumber(text)
}

// isJSONNumber says whether text is a number as JSON writes it (RFC 8259 §6).
func isJSONNumber(text []byte) bool {
	text = bytes.TrimPrefix(text, []byte{'-'})
	leadingZero := bytes.HasPrefix(text, []byte{'0'})
	whole, text := cutDigits(text)
	if whole == 0 || leadingZero && whole > 1 {
		return false
	}
	if len(text) > 0 && text[0] == '.' {
		var fraction int
		if fraction, text = cutDigits(text[1:]); fraction == 0 {
			return false
		}
	}
	return len(text) == 0 || isExponent(text)
}

func isExponent(text []byte) bool {
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = text[1:]
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	digits, rest := cutDigits(text)
	return digits > 0 && len(rest) == 0
}

// cutDigits splits text behind the digits that it begins with.
func cutDigits(text []byte) (digits int, rest []byte) {
	for digits < len(text) && isDigit(text[digits]) {
		digits++
	}
	return digits, text[digits:]
}
