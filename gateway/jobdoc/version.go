package jobdoc

import "bytes"

// maxVersionBytes is S3's limit on the length of a version id.
const maxVersionBytes = 1024

var versionName = []byte("versionId")

// cutVersion splits the encoded key of a -v2 placeholder before its version: at the last
// "%3FversionId%3D", as AWS documents it, or "?versionId=". found is false if there is
// none.
func cutVersion(text []byte) (key, version []byte, found bool) {
	i := bytes.LastIndex(text, versionName)
	if i < 0 {
		return text, nil, false
	}
	key, ok := cutEncodedSuffix(text[:i], '?')
	if !ok {
		return text, nil, false
	}
	version = text[i+len(versionName):]
	switch {
	case len(version) >= 1 && version[0] == '=':
		return key, version[1:], true
	case len(version) >= 3 && isEncoded(version[:3], '='):
		return key, version[3:], true
	}
	return text, nil, false
}

// cutEncodedSuffix cuts c, plain or as %XX, off the end of text.
func cutEncodedSuffix(text []byte, c byte) ([]byte, bool) {
	n := len(text)
	switch {
	case n >= 1 && text[n-1] == c:
		return text[:n-1], true
	case n >= 3 && isEncoded(text[n-3:], c):
		return text[:n-3], true
	}
	return text, false
}

// isEncoded reports whether the three bytes of text are %XX for c.
func isEncoded(text []byte, c byte) bool {
	const digits = "0123456789ABCDEF"
	return bytes.EqualFold(text, []byte{'%', digits[c>>4], digits[c&15]})
}

// checkVersion validates a decoded version id: visible ASCII without the beginning of
// another parameter.
func checkVersion(version []byte) *Error {
	if len(version) == 0 || len(version) > maxVersionBytes {
		return urlError("versionId has %d bytes, 1 to %d are allowed", len(version), maxVersionBytes)
	}
	for _, c := range version {
		if c <= ' ' || c > '~' || c == '&' || c == '?' || c == '#' {
			return urlError("versionId holds %q; of the query, only versionId is taken", c)
		}
	}
	return nil
}
