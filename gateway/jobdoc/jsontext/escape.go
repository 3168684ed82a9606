package jsontext

import "unicode/utf8"

// AppendEscaped appends text, escaped as a JSON string times times; 0 leaves it
// unchanged. It escapes only what JSON requires: '"', '\' and control characters. A
// byte that is not UTF-8 becomes U+FFFD.
func AppendEscaped(dst, text []byte, times int) []byte {
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
