package source

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// readBody reads a body in the given Content-Encoding, up to limit decoded bytes. It
// returns a bare ErrTooLarge if there are more. It never holds more than about limit
// bytes, however far the body would expand.
func readBody(r io.Reader, encoding string, limit int64) ([]byte, error) {
	zipped := false
	for name := range strings.SplitSeq(strings.ToLower(encoding), ",") {
		switch strings.TrimSpace(name) {
		case "", "identity", "aws-chunked": // S3 stores the name of an upload's framing, not the framing
		case "gzip", "x-gzip":
			zipped = true
		default:
			return nil, fmt.Errorf("content encoding %.40q is not supported; only gzip is", encoding)
		}
	}
	if !zipped {
		return readLimited(r, limit)
	}
	// Compressed bytes are limited too: endless empty gzip members decode to nothing.
	wire := &countingReader{r: r, left: limit + gzipOverhead}
	z, err := gzip.NewReader(wire)
	if err != nil {
		return nil, wire.fault(err)
	}
	body, err := readLimited(z, limit)
	if err != nil {
		return nil, wire.fault(err)
	}
	return body, nil
}

// gzipOverhead is more than gzip adds to an incompressible document.
const gzipOverhead = 64 << 10

// countingReader fails with ErrTooLarge after left bytes.
type countingReader struct {
	r    io.Reader
	left int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, ErrTooLarge
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, err
}

// fault returns the cause of the decoder's error err.
func (c *countingReader) fault(err error) error {
	if c.left <= 0 || errors.Is(err, ErrTooLarge) {
		return ErrTooLarge
	}
	return fmt.Errorf("broken gzip: %w", err)
}

// bodyFailure is the error of a Load whose body could not be read.
func bodyFailure(r *Request, err error) error {
	if errors.Is(err, ErrTooLarge) {
		return tooLarge(r)
	}
	return failure(ErrUnavailable, r.URL, "its body: %w", err)
}
