package mqtt

import "io"

// wait waits for the connection's next bytes, with one byte of room and no buffer. What it returns is in a buffer that the
// caller gives back: one byte shows that there is something, and the rest is still the connection's.
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
