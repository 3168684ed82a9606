package presigner

const upperHex = "0123456789ABCDEF"

// unreserved holds the bytes that SigV4's UriEncode leaves as they are
// (RFC 3986 §2.3); everything else becomes %XX in upper case.
var unreserved = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = true, true
	}
	for _, c := range "-._~" {
		t[c] = true
	}
	return t
}()

// AppendEscapedKey appends an object key, or a part of one, in its form in a URL's
// path: escaped exactly once, slashes kept, nothing normalised (SigV4's UriEncode
// with encodeSlash=false). Safe for concurrent use.
func AppendEscapedKey[S string | []byte](dst []byte, key S) []byte {
	return appendEscaped(dst, key, '/')
}

// appendEscapedQuery appends a query name or value (UriEncode, slashes escaped too).
func appendEscapedQuery(dst []byte, s string) []byte {
	return appendEscaped(dst, s, 'A') // 'A' is unreserved anyway, so only unreserved bytes are kept
}

func appendEscaped[S string | []byte](dst []byte, s S, keep byte) []byte {
	for i := range len(s) {
		c := s[i]
		if unreserved[c] || c == keep {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}
