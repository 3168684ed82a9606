package mqtt

import "io"

// wait waits for the connection's next bytes without holding a buffer. It reads one byte and returns it in a pooled buffer,
// which the caller returns; the rest is still to be read.
func (c *conn) wait() (*[]byte, int, error) {
	n, err := c.net.Read(c.first[:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return nil, 0, err
	}
	b := buffers.Get().(*[]byte)
	(*b)[0] = c.first[0]
	return b, 1, nil
}
