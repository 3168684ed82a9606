package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
)

// framing says how a body ends (RFC 9112 §6.3).
type framing uint8

const (
	fixed   framing = iota // after Content-Length bytes
	chunked                // with the last chunk
	closing                // with its connection
)

// body reads the body of an answer from its connection. After an error other than io.EOF it is unusable.
type body struct {
	r       *bufio.Reader
	framing framing
	left    int  // bytes left of the body (fixed) or of the chunk (chunked)
	ended   bool // the body's end has been read
	err     error
}

var (
	errCut   = errors.New("the answer ended early")
	errChunk = errors.New("the answer's chunks are not valid HTTP/1.1")
)

// Read returns io.EOF only at the end of the body. If the connection ends before, the error is errCut.
func (b *body) Read(p []byte) (n int, err error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.ended:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case b.framing == closing:
		n, err = b.r.Read(p)
		b.ended = errors.Is(err, io.EOF)
	case b.framing == fixed:
		n, err = b.readPart(p)
		b.ended = err == nil && b.left == 0
	default:
		n, err = b.readChunked(p)
	}
	if err != nil && !b.ended {
		b.err = err
		return n, err
	}
	if n == 0 && b.ended {
		return 0, io.EOF
	}
	return n, nil
}

// readPart reads some of the b.left bytes.
func (b *body) readPart(p []byte) (int, error) {
	if b.left == 0 {
		return 0, nil
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	if errors.Is(err, io.EOF) && b.left > 0 {
		err = errCut
	} else if b.left == 0 {
		err = nil
	}
	return n, err
}

// readChunked reads some of a chunk. It reads the CRLF after a chunk together with the chunk's last byte, so that this
// call, not the next, fails if the CRLF is missing.
func (b *body) readChunked(p []byte) (int, error) {
	if b.left == 0 {
		if err := b.nextChunk(); err != nil || b.ended {
			return 0, err
		}
	}
	n, err := b.readPart(p)
	if err == nil && b.left == 0 {
		err = b.endChunk()
	}
	return n, err
}

// nextChunk reads a chunk's size line, and after the last chunk the trailer section, which is dropped.
func (b *body) nextChunk() error {
	line, err := b.line()
	if err != nil {
		return err
	}
	size, ok := chunkSize(line)
	switch {
	case !ok:
		return errChunk
	case size > 0:
		b.left = size
		return nil
	}
	for range maxTrailers {
		if line, err = b.line(); err != nil {
			return err
		}
		if len(line) == 0 {
			b.ended = true
			return nil
		}
	}
	return errChunk
}

// maxTrailers is the largest number of lines in a trailer section. Each must fit into the reader's buffer.
const maxTrailers = 64

// endChunk reads the CRLF after a chunk's data.
func (b *body) endChunk() error {
	end, err := b.r.Peek(2)
	if err != nil {
		return cut(err)
	}
	if end[0] != '\r' || end[1] != '\n' {
		return errChunk
	}
	_, _ = b.r.Discard(2)
	return nil
}

// line returns the next line without its CRLF, valid until the next read.
func (b *body) line() ([]byte, error) {
	line, err := b.r.ReadSlice('\n')
	if err != nil {
		return nil, cut(err)
	}
	text, ok := bytes.CutSuffix(line, crlf)
	if !ok || bytes.IndexByte(text, '\r') >= 0 {
		return nil, errChunk
	}
	return text, nil
}

var crlf = []byte("\r\n")

// cut returns errCut for the end of a connection and errChunk for a line that does not fit into the buffer.
func cut(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errCut
	case errors.Is(err, bufio.ErrBufferFull):
		return errChunk
	}
	return err
}

// chunkSize parses chunk-size [ chunk-ext ] (RFC 9112 §7.1); extensions are ignored.
func chunkSize(line []byte) (size int, ok bool) {
	digits := 0
	for ; digits < len(line); digits++ {
		d := unhex(line[digits])
		if d < 0 {
			break
		}
		if size > math.MaxInt>>8 {
			return 0, false
		}
		size = size<<4 | d
	}
	rest := bytes.TrimLeft(line[digits:], " \t")
	return size, digits > 0 && (len(rest) == 0 || rest[0] == ';')
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c - 'a' + 10)
	case c >= 'A' && c <= 'F':
		return int(c - 'A' + 10)
	}
	return -1
}

// first waits for the beginning of the body: a short body of known length, the first chunk, or the first byte of a body
// that ends with its connection. An answer that ends earlier can still be replaced by an error.
func (b *body) first() error {
	if b.ended {
		return nil
	}
	switch b.framing {
	case fixed:
		if b.left == 0 {
			b.ended = true
			return nil
		}
		_, err := b.r.Peek(min(b.left, b.r.Size()))
		return cut(err)
	case chunked:
		if err := b.nextChunk(); err != nil || b.ended {
			return err
		}
		whole := b.left + len(crlf)
		data, err := b.r.Peek(min(whole, b.r.Size()))
		if err != nil {
			return cut(err)
		}
		if len(data) == whole && !bytes.HasSuffix(data, crlf) {
			return errChunk
		}
		return nil
	default:
		_, err := b.r.Peek(1)
		if errors.Is(err, io.EOF) {
			b.ended = true
			return nil
		}
		return err
	}
}
