package edge

import "io"

// AppendLimited appends r's content to dst until r ends or dst has limit bytes, and returns the extended dst. To detect
// content that is too long, pass a limit one above the maximum. After an error, dst has the bytes read before it.
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
