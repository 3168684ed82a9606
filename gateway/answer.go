package gateway

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
)

var (
	cacheControl = []byte("Cache-Control")
	noStore      = []byte("no-store")
	etagName     = []byte("Etag")
	ifNoneMatch  = []byte("If-None-Match")
)

// matchesETag reports whether an If-None-Match header holds etag, by the weak
// comparison of RFC 9110 §13.1.2.
func matchesETag(header, etag []byte) bool {
	if len(header) == 0 || len(etag) == 0 {
		return false
	}
	for {
		tag, rest, more := bytes.Cut(header, []byte(","))
		tag = bytes.TrimSpace(tag)
		if string(tag) == "*" || bytes.Equal(bytes.TrimPrefix(tag, weakPrefix), etag) {
			return true
		}
		if !more {
			return false
		}
		header = rest
	}
}

var weakPrefix = []byte("W/")

// equalSecrets compares in constant time, also with different lengths. An empty secret never matches.
func equalSecrets(given, want []byte) bool {
	a, b := sha256.Sum256(given), sha256.Sum256(want)
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && len(want) > 0
}
