//go:build !race

package gateway_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"jobgate/gateway"
)

// exchangeOnce sends request on an open connection and reads the whole answer.
func exchangeOnce(tb testing.TB, conn net.Conn, request, buf []byte) int {
	if _, err := conn.Write(request); err != nil {
		tb.Fatal(err)
	}
	n := 0
	for {
		m, err := conn.Read(buf[n:])
		if n += m; err != nil && !errors.Is(err, io.EOF) {
			tb.Fatal(err)
		}
		if end := bytes.Index(buf[:n], []byte("\r\n\r\n")); end >= 0 {
			i := bytes.Index(buf[:end], []byte("Content-Length: "))
			length := 0
			for _, c := range buf[i+len("Content-Length: ") : end] {
				if c < '0' || c > '9' {
					break
				}
				length = length*10 + int(c-'0')
			}
			if n >= end+4+length {
				return n
			}
		}
	}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	f := func(name, document string, quantum bool) {
		g := newGateway(t, func(c *gateway.Config, _ *testGateway) { c.Log = slog.New(slog.DiscardHandler) }) // each request is logged at level debug
		g.write("j1.json", document)
		if !quantum {
			g.at(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) // a fixed clock: the one rendering per second does not count
		}
		conn, err := g.ln.Dial()
		if err != nil {
			t.Fatal(err)
		}
		request := []byte("GET /things/thing-0001/jobs/j1/document HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
		buf := make([]byte, 16<<10)
		for range 100 {
			exchangeOnce(t, conn, request, buf)
		}
		if !bytes.HasPrefix(buf, []byte("HTTP/1.1 200 OK")) {
			t.Fatalf("%s: %s", name, buf[:200])
		}
		if allocs := testing.AllocsPerRun(2000, func() { exchangeOnce(t, conn, request, buf) }); allocs >= 1 {
			t.Errorf("%s: %v allocations per request, want 0", name, allocs)
		}
	}
	f("a document shared by all devices", hot, false)
	f("an object key per device", perDevice, false)
}
