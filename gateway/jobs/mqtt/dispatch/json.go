package dispatch

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// isObject reports whether b is valid UTF-8 and a single JSON object.
func isObject(b []byte) bool {
	trimmed := bytes.TrimLeft(b, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && utf8.Valid(b) && json.Valid(b)
}

// members calls each with the unescaped name and the raw value of every member of b, for which isObject holds.
func members(b []byte, each func(name, value []byte)) {
	i := space(b, bytes.IndexByte(b, '{')+1)
	for b[i] != '}' {
		end := valueEnd(b, i)
		name, ok := unquoted(b[i:end])
		i = space(b, space(b, end)+1) // past the colon
		end = valueEnd(b, i)
		if ok {
			each(name, b[i:end])
		}
		if i = space(b, end); b[i] == ',' {
			i = space(b, i+1)
		}
	}
}

// space returns the index of the first byte of b at or after i that is not white space.
func space(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// valueEnd returns the index after the value that begins at i, in valid JSON.
func valueEnd(b []byte, i int) int {
	depth := 0
	for ; ; i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // end of the enclosing object or array
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
}

// unquoted returns the text of a JSON string; false for other values.
func unquoted(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// unescape decodes the escapes of a JSON string's text, in place.
func unescape(b []byte) []byte {
	in := bytes.IndexByte(b, '\\')
	if in < 0 {
		return b
	}
	out := in
	for in < len(b) {
		c := b[in]
		if c != '\\' || in+1 >= len(b) {
			next := bytes.IndexByte(b[in+1:], '\\')
			if next < 0 {
				next = len(b) - in - 1
			}
			out += copy(b[out:], b[in:in+1+next])
			in += 1 + next
			continue
		}
		var n int
		n, out = unescapeOne(b, in, out)
		in += n
	}
	return b[:out]
}

var escapes = [256]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\', '/': '/'}

// unescapeOne decodes the escape at b[in:] to b[out:]. It returns the escape's length, and the next output index.
func unescapeOne(b []byte, in, out int) (n, next int) {
	if c := escapes[b[in+1]]; c != 0 {
		b[out] = c
		return 2, out + 1
	}
	// Slow path: \uXXXX, possibly a surrogate pair.
	n = 6
	if in+12 <= len(b) && b[in+6] == '\\' && b[in+7] == 'u' && (b[in+2] == 'd' || b[in+2] == 'D') && b[in+3] >= '8' {
		n = 12
	}
	n = min(n, len(b)-in)
	quoted := append(append([]byte{'"'}, b[in:in+n]...), '"')
	var s string
	_ = json.Unmarshal(quoted, &s) // the document's compiler wrote valid escapes
	return n, out + copy(b[out:], s)
}
