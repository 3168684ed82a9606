package proxy

import (
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// upload is the body of a request that is being sent. The bytes read are kept, if they are maxReplay at most, so that
// they can be sent again.
type upload struct {
	length int       // noLength: chunked; noBody: none
	source io.Reader // the bytes not read yet; nil: kept has all
	kept   []byte
	at     int  // bytes of kept that were sent in this attempt
	whole  bool // kept has all bytes read so far
	left   int  // limits.max_body minus the bytes read
	err    error

	ctx    *fasthttp.RequestCtx
	limits *Limits
}

// maxReplay is the size of the largest body that is kept, in bytes.
const maxReplay = 64 << 10

// open prepares u for ctx's body.
func (u *upload) open(ctx *fasthttp.RequestCtx, limits *Limits) *edge.Fault {
	in := &ctx.Request
	*u = upload{length: in.Header.ContentLength(), kept: u.kept[:0], whole: true, left: limits.MaxBody, ctx: ctx, limits: limits}
	if u.length > limits.MaxBody {
		return errTooLarge(limits.MaxBody)
	}
	if in.IsBodyStream() {
		if u.length != 0 {
			u.source = ctx.RequestBodyStream()
		}
		return nil
	}
	body := in.Body()
	u.kept = append(u.kept, body...)
	switch {
	case u.length == noLength, len(body) > 0:
		u.length = len(body)
	case u.length < 0 && wantsLength(in.Header.Method()):
		u.length = 0
	}
	return nil
}

// wantsLength reports whether a request of this method has Content-Length: 0 when it has no body (RFC 9110 §8.6).
func wantsLength(method []byte) bool {
	switch string(method) {
	case fasthttp.MethodPost, fasthttp.MethodPut, fasthttp.MethodPatch:
		return true
	}
	return false
}

// rewind restarts the body. It returns false if more was read than is kept, or reading failed.
func (u *upload) rewind() bool {
	u.at = 0
	return u.whole && u.err == nil
}

// Read reads the body: the kept bytes, then the rest. Every wait has its own deadline, and more than limits.max_body
// bytes are an error. Errors other than io.EOF are *uploadError.
func (u *upload) Read(p []byte) (int, error) {
	if u.at < len(u.kept) {
		n := copy(p, u.kept[u.at:])
		u.at += n
		return n, nil
	}
	if u.err != nil {
		return 0, u.err
	}
	if u.source == nil {
		return 0, io.EOF
	}
	n, err := u.receive(p)
	if err != nil {
		u.err = err // bytes that come with it are returned first, and the next Read returns the error
		if errors.Is(err, io.EOF) {
			u.source, u.err = nil, nil
		}
	}
	if u.whole = u.whole && len(u.kept)+n <= maxReplay; u.whole {
		u.kept = append(u.kept, p[:n]...)
		u.at = len(u.kept)
	} else {
		u.kept, u.at = u.kept[:0], 0
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// receive reads from the device.
func (u *upload) receive(p []byte) (int, error) {
	if u.limits.ReadTimeout > 0 {
		if err := u.ctx.SetReadDeadline(time.Now().Add(u.limits.ReadTimeout)); err != nil {
			return 0, &uploadError{errRequest("the connection is closed")}
		}
	}
	n, err := u.source.Read(p)
	switch u.left -= n; {
	case u.left < 0:
		return 0, &uploadError{errTooLarge(u.limits.MaxBody)}
	case err == nil, err == io.EOF && !edge.CutOff(u.ctx):
		return n, err
	case isTimeout(err):
		return n, &uploadError{errSlowRequest()}
	default:
		return n, &uploadError{errBrokenRequest()}
	}
}

// uploadError says that a request's body could not be read from the device. answer is the device's answer.
type uploadError struct{ answer *edge.Fault }

func (e *uploadError) Error() string { return e.answer.Error() }

// send writes the head, in buf[:head], and the body to c, in the framing that the head announces. It returns buf, which may
// have grown.
func (u *upload) send(c *conn, buf []byte, head int) ([]byte, error) {
	if u.length == 0 || u.length == noBody {
		_, err := c.Write(buf[:head])
		return buf, err
	}
	full := head // bytes of buf to write: the head is written with the body's first bytes
	for sent := 0; ; {
		// Leave room for the chunk's size before the data, and for CRLF after it.
		buf = grow(buf, full+sendBuffer)
		start := full
		if u.length == noLength {
			start += chunkHead
		}
		n, err := u.Read(buf[start : full+sendBuffer-len(crlf)])
		sent += n
		if err != nil && !errors.Is(err, io.EOF) {
			return buf, err
		}
		ended := err != nil || u.length >= 0 && sent == u.length || u.source == nil && u.err == nil && u.at == len(u.kept)
		if ended && u.length >= 0 && sent < u.length {
			return buf, &uploadError{errBrokenRequest()}
		}
		full = u.frame(buf, full, n, ended)
		if _, err := c.Write(buf[:full]); err != nil || ended {
			return buf, err
		}
		full = 0
	}
}

const (
	sendBuffer = 16 << 10
	chunkHead  = 6 // four digits of a chunk's size and its CRLF
)

// frame makes a chunk of the next n bytes in buf, if the body is chunked, and returns the new end of buf's content.
func (u *upload) frame(buf []byte, full, n int, ended bool) int {
	if u.length >= 0 {
		return full + n
	}
	if n > 0 {
		digits := strconv.AppendInt(buf[:full], int64(n)|0x10000, 16) // 1 and four digits
		copy(buf[full:], digits[full+1:])
		copy(buf[full+4:], crlf)
		full += copy(buf[full+chunkHead+n:], crlf) + chunkHead + n
	}
	if ended {
		full += copy(buf[full:cap(buf)], "0\r\n\r\n")
	}
	return full
}

// grow returns buf with length n and room for lastChunk more bytes.
func grow(buf []byte, n int) []byte {
	if cap(buf) < n+lastChunk {
		buf = append(make([]byte, 0, n+lastChunk), buf...)
	}
	return buf[:n]
}

const lastChunk = 8 // more than the length of the last chunk
