package packet

import (
	"bytes"
	"unicode/utf8"
)

// reader parses a body. The first error stays in err; all later reads return zero.
type reader struct {
	b   []byte
	err *Error
}

func (r *reader) fail(err *Error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.fail(errShort)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() uint8 {
	if v := r.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if v := r.take(2); v != nil {
		return uint16(v[0])<<8 | uint16(v[1])
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if v := r.take(4); v != nil {
		return uint32(v[0])<<24 | uint32(v[1])<<16 | uint32(v[2])<<8 | uint32(v[3])
	}
	return 0
}

func (r *reader) varint() uint32 {
	v, n, err := varint(r.b)
	switch {
	case err != nil:
		r.fail(errVarint)
	case n == 0:
		r.fail(errShort)
	default:
		r.b = r.b[n:]
	}
	return v
}

// data returns binary data (5 §1.5.6); not nil unless there is an error.
func (r *reader) data() []byte { return r.take(int(r.uint16())) }

// text returns a string (5 §1.5.4).
func (r *reader) text() []byte {
	s := r.data()
	if !validText(s) {
		r.fail(errText)
		return nil
	}
	return s
}

// validText reports whether s is UTF-8 without U+0000.
func validText(s []byte) bool { return bytes.IndexByte(s, 0) < 0 && utf8.Valid(s) }

// end returns the first error, or one for trailing bytes.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = errLong
	}
	if r.err != nil {
		return r.err
	}
	return nil
}
