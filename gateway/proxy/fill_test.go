package proxy_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf16"

	"jobgate/gateway/proxy"
)

const document = `{"u":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/a}"}`

func zip(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// wide encodes text in UTF-16, big endian.
func wide(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		b.WriteByte(byte(unit >> 8))
		b.WriteByte(byte(unit))
	}
	return b.String()
}

// reverse swaps the bytes of each pair.
func reverse(text string) string {
	b := []byte(text)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

// TestUnfilled checks that an answer that cannot be filled is counted by reason and becomes 502, or is forwarded unchanged if
// the route allows that.
func TestUnfilled(t *testing.T) {
	u := newUpstream(t)
	refusing := newGate(t, func(_ *proxy.Config, r *proxy.Request) { r.Fill = marking{} }, u.url)
	passing := newGate(t, func(_ *proxy.Config, r *proxy.Request) { r.Fill, r.PassUnfilled = marking{}, true }, u.url)
	check := func(g *gate, status int, header, body, wantBody string, wantStatus int, counted map[string]int) {
		t.Helper()
		for _, framing := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body), fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)} {
			u.answer.Store(fmt.Sprintf("HTTP/1.1 %d Some\r\nETag: \"x\"\r\n%s%s", status, header, framing))
			clear(g.counted)
			a := g.send("GET / HTTP/1.1\r\nHost: gate\r\n\r\n")
			if a.StatusCode != wantStatus || wantBody != "" && a.body != wantBody || a.err != nil {
				t.Errorf("%d %q %.40q: got %d %.100q %v, want %d %.100q", status, header, body, a.StatusCode, a.body, a.err, wantStatus, wantBody)
			}
			if wantStatus == 502 && (strings.Contains(a.body, "aws:iot") || a.Header.Get("Etag") != "") {
				t.Errorf("%d %q: got %v %s", status, header, a.Header, a.body)
			}
			if !maps.Equal(g.counted, counted) {
				t.Errorf("%d %q %.40q: counted %v, want %v", status, header, body, g.counted, counted)
			}
		}
	}
	unfilled := func(status int, header, body, reason string) {
		t.Helper()
		check(refusing, status, header, body, "", 502, map[string]int{reason: 1})
		check(passing, status, header, body, body, status, map[string]int{reason: 1, "passed": 1})
	}
	f := func(status int, header, body, want string) {
		t.Helper()
		for _, g := range []*gate{refusing, passing} {
			check(g, status, header, body, want, status, map[string]int{})
		}
	}
	const isJSON, isText = "Content-Type: application/json\r\n", "Content-Type: text/plain\r\n"
	filled := "FILLED " + strings.ReplaceAll(document, "${aws:iot:", "<")
	for _, header := range []string{
		isJSON, "Content-Type: Application/Problem+JSON; charset=UTF-8\r\n", isJSON + "Content-Encoding: identity\r\n",
		"Content-Type: application/json; charset=iso-8859-1\r\n",
	} {
		f(200, header, document, filled)
		f(201, header, document, filled)
		f(200, header, `{"none":1}`, `{"none":1}`)
		f(404, header, document, document)
	}
	f(200, isJSON+"Content-Encoding: GZIP\r\n", zip(document), filled)
	f(200, isJSON+"Content-Encoding: x-gzip\r\n", zip(document), filled)

	unfilled(200, isJSON+"Content-Encoding: br\r\n", document, "content_encoding")
	unfilled(200, isJSON+"Content-Encoding: deflate\r\n", document, "content_encoding")
	unfilled(200, isJSON+"Content-Encoding: gzip, br\r\n", document, "content_encoding")
	unfilled(200, isText+"Content-Encoding: zstd\r\n", "any", "content_encoding")
	unfilled(200, isJSON+"Content-Encoding: gzip\r\n", "no gzip", "content_encoding")
	unfilled(200, isJSON+"Content-Encoding: gzip\r\n", zip(document)[:30], "content_encoding")
	unfilled(200, isJSON+"Content-Encoding: br\r\nContent-Encoding: gzip\r\n", zip("\x8b\x02\x80brotli\xff"), "charset")

	for _, header := range []string{isText, "", "Content-Type: text/html; charset=utf-8\r\n", "Content-Type: application/octet-stream\r\n", "Content-Type: text/json\r\n"} {
		unfilled(200, header, document, "not_json")
		f(200, header, "nothing to fill", "nothing to fill")
		f(200, header, "${other:text}", "${other:text}")
		unfilled(200, header, wide(document), "charset")
		unfilled(200, header, reverse(wide(document)), "charset")
	}
	unfilled(200, isText+"Content-Encoding: gzip\r\n", zip(document), "not_json")
	f(200, isText+"Content-Encoding: gzip\r\n", zip("nothing"), zip("nothing"))
	f(200, "Content-Type: image/png\r\n", "\x89PNG\r\n\x1a\n\x00\x00", "\x89PNG\r\n\x1a\n\x00\x00")

	unfilled(200, isJSON, wide(document), "charset")
	unfilled(200, isJSON, "\xfe\xff"+wide(document), "charset")
	unfilled(200, isJSON, reverse(wide("\ufeff"+document)), "charset")
	unfilled(200, "Content-Type: application/json; charset=utf-16\r\n", wide(document), "charset")
	unfilled(200, "Content-Type: text/plain; charset=\"UTF-16LE\"\r\n", "any", "charset")
	unfilled(200, "Content-Type: text/plain; charset=ibm037\r\n", "any", "charset")
	unfilled(200, "Content-Type: text/plain; charset=utf-8; charset=utf-16\r\n", "any", "charset")

	unfilled(206, isJSON, document, "partial")
	unfilled(206, "Content-Type: multipart/byteranges; boundary=x\r\n", document, "partial")
	large := `{"x":"` + strings.Repeat("x", limits.MaxDocument) + document[1:]
	unfilled(200, isJSON, large, "too_large")
	unfilled(200, isText, large, "too_large")
	unfilled(200, isJSON+"Content-Encoding: gzip\r\n", zip(large), "too_large")
	unfilled(200, "Content-Type: text/event-stream\r\n", "data: x\n\n", "event_stream")
}
