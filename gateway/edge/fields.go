package edge

import (
	"bytes"
	"net/http"

	"github.com/valyala/fasthttp"
)

// malformedFields returns the fault of a request with a header field that fasthttp accepts, but that others interpret
// differently: a name with a space (RFC 9112 §5.1), a continuation line (§5.2), a line that ends without CR (§2.2); nil if
// there is none. fasthttp itself rejects other invalid fields (an empty name, a control byte).
func malformedFields(h *fasthttp.RequestHeader) *Fault {
	wrong := wrongFields(h.RawHeaders())
	if wrong == "" {
		return nil
	}
	return &Fault{Status: http.StatusBadRequest, Code: "InvalidRequest", Message: wrong}
}

// wrongFields says what is wrong with raw header lines, "" if nothing.
func wrongFields(raw []byte) string {
	for len(raw) > 0 {
		end := bytes.IndexByte(raw, '\n')
		if end <= 0 || raw[end-1] != '\r' {
			return "a header line does not end with CR LF (RFC 9112 §2.2)"
		}
		line := raw[:end-1]
		if raw = raw[end+1:]; len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			return "a header line continues the one before (RFC 9112 §5.2)"
		}
		if name := line[:max(0, bytes.IndexByte(line, ':'))]; bytes.IndexByte(name, ' ') >= 0 {
			return "a header's name holds a space (RFC 9112 §5.1)"
		}
	}
	return ""
}
