package edge

import "io"

// AppendLimited appends what r holds to dst, until it ends or dst has limit bytes, and returns the extended dst: more
// than fits shows when limit is one more than may be. After an error other than the end, dst holds what came before it.
func AppendLimited(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for len(dst) < limit {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), limit)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}
