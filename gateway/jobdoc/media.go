package jobdoc

import "bytes"

// IsJSON reports whether a content type, with or without parameters, is application/json or a +json one (RFC 6839 §3.1).
func IsJSON(contentType []byte) bool {
	mediaType, _, _ := bytes.Cut(contentType, semicolon)
	mediaType = bytes.TrimSpace(mediaType)
	return bytes.EqualFold(mediaType, jsonType) ||
		len(mediaType) > len(plusJSON) && bytes.EqualFold(mediaType[len(mediaType)-len(plusJSON):], plusJSON)
}

var (
	semicolon = []byte(";")
	jsonType  = []byte("application/json")
	plusJSON  = []byte("+json")
)
