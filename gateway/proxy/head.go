package proxy

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// rule is the handling of a header on the way to the upstream.
type rule uint8

const (
	pass     rule = iota
	hop           // of this connection (RFC 9110 §7.6.1), or of the framing: dropped
	partial       // asks for less than the whole plain answer: dropped where that is to be filled
	ours          // the gateway's own words: what others say of it is dropped
	believed      // likewise, but what a trusted peer says of it passes
	traced        // says what a request belongs to: dropped where the gateway says so itself
)

// rules returns the rules of headers that do not simply pass. Keys are spelled as in fasthttp.
func rules(identity string) map[string]rule {
	r := map[string]rule{
		"Connection": hop, "Keep-Alive": hop, "Proxy-Connection": hop, "Proxy-Authenticate": hop, "Proxy-Authorization": hop,
		"Te": hop, "Trailer": hop, "Upgrade": hop, "Expect": hop, "Transfer-Encoding": hop, "Content-Length": hop, "Http2-Settings": hop,
		"Accept-Encoding": partial, "Range": partial, "If-Range": partial, "If-Match": partial, "If-None-Match": partial,
		"If-Modified-Since": partial, "If-Unmodified-Since": partial,
		headerTraceParent: traced, headerTraceState: traced,
		"Host": ours, "X-Forwarded-For": believed, "X-Forwarded-Proto": believed, "X-Forwarded-Host": believed, "Forwarded": believed,
	}
	if identity != "" {
		r[canonical(identity)] = ours
	}
	return r
}

// canonical returns name as fasthttp spells it.
func canonical(name string) string {
	var h fasthttp.RequestHeader
	h.Set(name, "x")
	for key := range h.All() {
		return string(key)
	}
	return name
}

// ruleOf returns the rule for a header. A name that differs from one that does not pass in '_' for '-' only does not
// pass either: WSGI and CGI take one for the other.
func (p *Proxy) ruleOf(name []byte) rule {
	if bytes.IndexByte(name, '_') < 0 {
		return p.rules[string(name)]
	}
	twin := strings.ReplaceAll(string(name), "_", "-")
	for known, rule := range p.rules {
		if !strings.EqualFold(known, twin) {
			continue
		}
		if rule == believed { // a trusted peer spells it right, and passes what a device spells otherwise
			return ours
		}
		return rule
	}
	return pass
}

// connectionTokens appends the names that the lines of Connection list (RFC 9110 §7.6.1), those aside that never pass.
// They are valid as long as the lines.
func connectionTokens(dst [][]byte, lines [][]byte) [][]byte {
	for _, line := range lines {
		for token := range bytes.SplitSeq(line, comma) {
			token = bytes.TrimSpace(token)
			if len(token) > 0 && !bytes.EqualFold(token, closeToken) && !bytes.EqualFold(token, keepAliveToken) {
				dst = append(dst, token)
			}
		}
	}
	return dst
}

// listed reports whether tokens name the header.
func listed(tokens [][]byte, name []byte) bool {
	for _, t := range tokens {
		if bytes.EqualFold(t, name) {
			return true
		}
	}
	return false
}

// spaced reports whether a header's name holds what fasthttp takes and RFC 9112 §5.1 does not.
func spaced(name []byte) bool { return bytes.IndexByte(name, ' ') >= 0 }

func appendField(dst []byte, name string, value []byte) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), crlf...)
}

var (
	comma          = []byte(",")
	closeToken     = []byte("close")
	keepAliveToken = []byte("keep-alive")
)
