package jobdoc

import "bytes"

// marker begins every placeholder that jobgate fills.
var marker = []byte("${aws:iot:")

// Scan returns the offset of the first placeholder in doc, or -1 if there is none. It
// does not allocate, and runs at memchr's speed over text without '$'.
func Scan(doc []byte) int { return bytes.Index(doc, marker) }

// closing finds the '}' that ends a placeholder whose body begins at from, skipping
// nested placeholders. It returns its offset and true, or false and where it stopped:
// at the end of the line or document or, unless plain, at a byte that is special in
// JSON, for which the caller must know the surrounding strings.
func closing(doc []byte, from int, plain bool) (int, bool) {
	open := 1
	for i := from; i < len(doc); i++ {
		// Fast path: most bytes are not special; 46 instead of 68 ns for 80 bytes.
		if !meaning[doc[i]] {
			continue
		}
		switch doc[i] {
		case '}':
			if open--; open == 0 {
				return i, true
			}
		case '{':
			if doc[i-1] == '$' { // doc[from-1] is the marker's ':'
				open++
			}
		case '"', '\\':
			if !plain {
				return i, false
			}
		case '\n', '\r':
			return i, false
		}
	}
	return len(doc), false
}

// meaning holds the bytes that are special within a placeholder, in a JSON string or in
// plain text.
var meaning = [256]bool{'{': true, '}': true, '"': true, '\\': true, '\n': true, '\r': true}
