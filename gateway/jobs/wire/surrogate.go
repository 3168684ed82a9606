package wire

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// HalfSurrogate reports whether JSON text escapes half of a surrogate pair, which is not a character: encoding/json would
// replace it by U+FFFD, and the job document would no longer be the one that was sent.
func HalfSurrogate(text []byte) bool {
	for i := max(0, bytes.IndexByte(text, '\\')); i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		r := escaped(text[i:])
		if i++; r < 0 { // an escaped backslash does not begin an escape
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

// escaped returns the code unit of the \uXXXX at the start of text, -1 if there is none.
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
