package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"testing"
)

// FuzzChunks checks that a chunked body that the gateway accepts is accepted, and read alike, by net/http.
func FuzzChunks(f *testing.F) {
	for _, seed := range []string{"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n", "5\r\nhelloA0\r\n\r\n", "05 \r\nhello\r\n00\r\n\r\n", "\r\n", "5\nhello\n0\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := body{r: bufio.NewReaderSize(bytes.NewReader(data), 64), framing: chunked}
		got, err := io.ReadAll(&b)
		if err != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(data)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: accepted as %q; net/http reads %q, %v", data, got, want, err)
		}
	})
}
