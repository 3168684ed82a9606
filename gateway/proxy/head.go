package proxy

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// rule is the handling of a header on the way to the upstream.
type rule uint8

const (
	pass    rule = iota
	hop          // hop-by-hop (RFC 9110 §7.6.1), or framing: dropped
	partial      // requests less than the whole plain answer: dropped if the answer is to be filled
	own          // set by the gateway: dropped
	trusted      // likewise, but forwarded if a trusted peer sent it
	traced       // trace context: dropped if the gateway sends its own
)

// rules returns the rules of all headers that are not always forwarded. Keys are spelled as in fasthttp.
func rules(identity string) map[string]rule {
	r := map[string]rule{
		"Connection": hop, "Keep-Alive": hop, "Proxy-Connection": hop, "Proxy-Authenticate": hop, "Proxy-Authorization": hop,
		"Te": hop, "Trailer": hop, "Upgrade": hop, "Expect": hop, "Transfer-Encoding": hop, "Content-Length": hop, "Http2-Settings": hop,
		"Accept-Encoding": partial, "Range": partial, "If-Range": partial, "If-Match": partial, "If-None-Match": partial,
		"If-Modified-Since": partial, "If-Unmodified-Since": partial,
		headerTraceParent: traced, headerTraceState: traced,
		"Host": own, "X-Forwarded-For": trusted, "X-Forwarded-Proto": trusted, "X-Forwarded-Host": trusted, "Forwarded": trusted,
	}
	if identity != "" {
		r[canonical(identity)] = own
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

// ruleOf returns the rule for a header. A name with '_' has the rule of the same name with '-', because WSGI and CGI do
// not distinguish them.
func (p *Proxy) ruleOf(name []byte) rule {
	if bytes.IndexByte(name, '_') < 0 {
		return p.rules[string(name)]
	}
	twin := strings.ReplaceAll(string(name), "_", "-")
	for known, rule := range p.rules {
		if !strings.EqualFold(known, twin) {
			continue
		}
		if rule == trusted { // a trusted peer spells it with '-'; it forwards a device's spelling with '_'
			return own
		}
		return rule
	}
	return pass
}

// connectionTokens appends the header names that the lines of Connection list (RFC 9110 §7.6.1), without close and
// keep-alive. They are valid as long as the lines.
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

// spaced reports whether a header's name contains a space, which fasthttp accepts but RFC 9112 §5.1 forbids.
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
