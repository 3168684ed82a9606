package gateway_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/gateway"
)

// reader is an endless connection whose requests are each for one of many documents.
type reader struct {
	endless
	next func(i int) int // the document of request i
	i    int
}

const readerPath = "/things/thing-0001/jobs/job-%06d/document"

func (c *reader) Read(p []byte) (int, error) {
	if c.n == 0 {
		return 0, io.EOF
	}
	c.n--
	at := strings.Index(readerPath, "%") + len("GET ")
	for d, n := c.next(c.i), 5; n >= 0; n-- {
		c.request[at+n] = byte('0' + d%10)
		d /= 10
	}
	c.i++
	return copy(p, c.request), nil
}

// BenchmarkServe_Documents requests random documents out of few or many, all of which are loaded. Of 100,000 documents, the
// processor's caches hold few, and a document is rarely requested twice in a second, the time for which its URLs are reused.
func BenchmarkServe_Documents(b *testing.B) {
	for _, number := range []int{1, 100, 10_000, 100_000} {
		ask := loadDocuments(b, number)
		b.Run(fmt.Sprint(number), func(b *testing.B) {
			random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
			b.ReportAllocs()
			b.ResetTimer()
			ask(b.N, func(int) int { return random.IntN(number) })
		})
	}
}

// loadDocuments returns a function that sends n requests to a gateway that has loaded number documents.
func loadDocuments(b *testing.B, number int) (ask func(n int, next func(int) int)) {
	b.Helper()
	documents, err := gateway.NewDocuments(gateway.DocumentsConfig{MaxBytes: 1 << 30, Fresh: time.Hour, MaxLoads: 64, LoadTimeout: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(documents.Close)
	g := newGateway(b, func(c *gateway.Config, _ *testGateway) { c.Documents = documents })
	for i := range number {
		text := strings.ReplaceAll(hot, "v7", fmt.Sprintf("v%06d", i))
		if err := os.WriteFile(filepath.Join(g.folder, fmt.Sprintf("job-%06d.json", i)), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	server := served(g)
	ask = func(n int, next func(int) int) {
		conn := &reader{endless: endless{request: fmt.Appendf(nil, "GET "+readerPath+" HTTP/1.1\r\nHost: gateway.test\r\n\r\n", 0), n: n}, next: next}
		if err := server.ServeConn(conn); err != nil {
			b.Fatal(err)
		}
	}
	ask(number, func(i int) int { return i })
	if loaded := documents.Stats().Entries; loaded != int64(number) {
		b.Fatalf("%d of %d documents are loaded: %s", loaded, number, g.log)
	}
	return ask
}
