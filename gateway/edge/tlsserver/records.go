package tlsserver

import "net"

// Records is the socket below TLS. It tracks the arriving records (RFC 8446 §5.1), because crypto/tls does not report whether it
// holds a partial one:
//
//	type (1) │ version (2) │ length (2) │ payload, of that length
type Records struct {
	net.Conn
	head uint8  // bytes of the header that have arrived
	size uint16 // of the payload, as far as the header has arrived
	left uint16 // bytes of the payload that are missing
}

const recordHeader = 5

// Read reads into p.
func (r *Records) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.follow(p[:n])
	return n, err
}

func (r *Records) follow(b []byte) {
	for len(b) > 0 {
		if r.left > 0 {
			n := min(int(r.left), len(b))
			r.left -= uint16(n) //nolint:gosec // at most left
			b = b[n:]
			continue
		}
		if r.head++; r.head >= recordHeader-1 {
			r.size = r.size<<8 | uint16(b[0])
		}
		b = b[1:]
		if r.head == recordHeader {
			r.head, r.left, r.size = 0, r.size, 0
		}
	}
}

// Inside reports whether a record has begun and not ended.
func (r *Records) Inside() bool { return r.head > 0 || r.left > 0 }
