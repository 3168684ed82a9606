package edge_test

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// malformedLines are invalid header lines (RFC 9112 §2.2, §5.1, §5.2; RFC 9110 §5.5).
var malformedLines = []string{
	"Foo : bar", "Foo\t: bar", "Foo bar: x", "Content-Length x: 5", "Transfer Encoding: chunked", ": x", " : x", "Foo", "\tFoo: bar",
	"Foo: a\r\n b", "Foo: a\r\n\tb", "Foo: a\r\n b: c", "Foo: a\x00b", "Foo: a\rb", "Foo: a\nBar: b", "Foo: a\n b",
}

// A request with a malformed header field is refused and its connection closed. No handler sees it.
func TestMalformedFields(t *testing.T) {
	for _, streaming := range []bool{false, true} {
		s := serve(t, func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Request.Header.Peek("Good")) == "" {
				t.Errorf("a handler sees %q", ctx.Request.Header.RawHeaders())
			}
		}, func(_ *edge.Options, h *edge.HTTPOptions, _ *edge.Drain) { h.Streaming = streaming })
		for _, line := range malformedLines {
			for _, rest := range []string{"\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello", "\r\nContent-Length: 900\r\n\r\nhalf", "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
				for _, first := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\nGood: 1\r\n\r\n"} {
					conn := s.dial(t)
					_, _ = io.WriteString(conn, first+"POST / HTTP/1.1\r\nHost: x\r\n"+line+rest)
					r := bufio.NewReader(conn)
					if first != "" {
						answer(t, r)
					}
					if status, body := answer(t, r); status != 400 || !strings.Contains(body, `"InvalidRequest"`) {
						t.Errorf("%q: %d %s", line+rest, status, body)
					}
					if more, err := io.ReadAll(r); err != nil || len(more) > 0 {
						t.Errorf("%q: the connection stays open: %q %v", line+rest, more, err)
					}
				}
			}
		}
		conn := s.dial(t)
		for i := range 2 {
			_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\nGood: a b: c%d\r\nEmpty:\r\nTab:\ta\tb\t\r\n\r\n", i)
			if status, body := answer(t, bufio.NewReader(conn)); status != 200 {
				t.Errorf("valid fields: %d %s", status, body)
			}
		}
	}
}
