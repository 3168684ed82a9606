package mqtt

import "io"

// wait waits for the connection's next bytes, without a buffer where the system allows it.
func (c *conn) wait() (*[]byte, int, error) {
	if b, n, err, waited := c.waitRaw(); waited {
		return b, n, err
	}
	// A TLS connection keeps what it has decrypted: one byte shows that there is something, the rest is there.
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
