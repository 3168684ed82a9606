//go:build !unix

package mqtt

// waitRaw is for systems whose sockets can be read without a buffer at hand.
func (c *conn) waitRaw() (b *[]byte, n int, err error, waited bool) { return nil, 0, nil, false }
