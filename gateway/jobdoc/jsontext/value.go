package jsontext

import (
	"bytes"
	"encoding/json"
)

// ByteOrderMark may precede a document.
var ByteOrderMark = []byte("\uFEFF")

// LooksLikeJSON reports whether doc begins like a JSON document that contains strings.
// A bare placeholder, YAML, a shell script and most other text do not.
func LooksLikeJSON(doc []byte) bool {
	for _, c := range bytes.TrimPrefix(doc, ByteOrderMark) {
		switch c {
		case ' ', '\n', '\r', '\t':
			continue
		}
		return c == '{' || c == '[' || c == '"'
	}
	return false
}

// IsValue reports whether text is a JSON value. It calls json.Valid, which allocates for
// invalid text, for objects, arrays and strings only.
func IsValue(text []byte) bool {
	text = bytes.Trim(text, " \t\r\n")
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case '{', '[', '"':
		return json.Valid(text)
	}
	return string(text) == "true" || string(text) == "false" || string(text) == "null" || isNumber(text)
}

// isNumber reports whether text is a number as JSON writes it (RFC 8259 §6).
func isNumber(text []byte) bool {
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

// cutDigits splits text after its leading digits.
func cutDigits(text []byte) (digits int, rest []byte) {
	for digits < len(text) && '0' <= text[digits] && text[digits] <= '9' {
		digits++
	}
	return digits, text[digits:]
}
