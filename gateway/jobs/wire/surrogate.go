package wire

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// HalfSurrogate says whether JSON text escapes half of a surrogate pair, which is no character: encoding/json would put
// U+FFFD in its place, and a job document would not be the one that was sent.
func HalfSurrogate(text []byte) bool {
	for i := max(0, bytes.IndexByte(text, '\\')); i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		r := escaped(text[i:])
		if i++; r < 0 { // the character that is escaped is not the next escape's backslash
			continue
		}
		if i += 4; !utf16.IsSurrogate(r) {
			continue
		}
		if utf16.DecodeRune(r, escaped(text[i+1:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escaped returns the code unit of the \uXXXX that text begins with, -1 if it does not.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
