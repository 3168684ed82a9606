package edge

import (
	"bytes"
	"net/http"

	"github.com/valyala/fasthttp"
)

// malformedFields refuses, as the last request of its connection, one whose header fields fasthttp takes and others take
// otherwise: a name that holds a space (RFC 9112 §5.1), a line that continues the one before (§5.2), one that ends without
// CR (§2.2). What else is no field (an empty name, a control byte) fasthttp refuses itself.
func malformedFields(h *fasthttp.RequestHeader) *Fault {
	wrong := wrongFields(h.RawHeaders())
	if wrong == "" {
		return nil
	}
	return &Fault{Status: http.StatusBadRequest, Code: "InvalidRequest", Message: wrong}
}

// wrongFields says what is wrong with header lines as they arrived, "" if nothing is.
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
