package target

// AppendDecoded appends text with its %XX decoded once. It returns dst unchanged, and false, if a % is not followed by two
// hexadecimal digits. A + is kept.
func AppendDecoded[S string | []byte](dst []byte, text S) ([]byte, bool) {
	from := len(dst)
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			if i+2 >= len(text) {
				return dst[:from], false
			}
			high, low := unhex[text[i+1]], unhex[text[i+2]]
			if high > 15 || low > 15 {
				return dst[:from], false
			}
			c = high<<4 | low
			i += 2
		}
		dst = append(dst, c)
	}
	return dst, true
}

// unhex holds the values of hexadecimal digits, 255 for other bytes.
var unhex = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = uint8(c - '0')
		case c >= 'a' && c <= 'f':
			t[c] = uint8(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			t[c] = uint8(c - 'A' + 10)
		default:
			t[c] = 255
		}
	}
	return t
}()
