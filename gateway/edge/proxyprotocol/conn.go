// Package proxyprotocol reads version 2 of the PROXY protocol, with which a balancer passes on the client's address.
package proxyprotocol

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
)

// Conn is a socket whose peer may send a PROXY protocol header, version 2, first:
//
//	\r\n\r\n\0\r\nQUIT\n │ version, command │ family, transport │ length (2) │ addresses and TLVs, of that length
//
// (proxy-protocol.txt §2.2). Data without a header is passed on unchanged.
type Conn struct {
	net.Conn
	begun  bool
	early  []byte   // bytes of the client that were read in search of a header
	Source net.Addr // the client's address in the header, set by the first Read; nil: none, use the peer's
}

const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyFixed     = 16
	maxProxyBody   = 4 << 10 // addresses and TLVs, but no client certificate
)

var errProxyHeader = errors.New("the PROXY protocol header is malformed")

// Read reads the data after the header.
func (p *Conn) Read(b []byte) (int, error) {
	if !p.begun {
		p.begun = true
		if err := p.begin(); err != nil {
			return 0, err
		}
	}
	if len(p.early) > 0 {
		n := copy(b, p.early)
		p.early = p.early[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite closes the write side.
func (p *Conn) CloseWrite() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}

// begin reads the header, or finds that there is none.
func (p *Conn) begin() error {
	head := make([]byte, 0, proxyFixed)
	for len(head) < proxyFixed {
		n, err := p.Conn.Read(head[len(head):proxyFixed])
		head = head[:len(head)+n]
		if !startsAlike(head) {
			p.early = head
			return nil
		}
		if err != nil {
			return err
		}
	}
	body := make([]byte, binary.BigEndian.Uint16(head[14:]))
	if head[12]>>4 != 2 || head[12]&0xf > 1 || len(body) > maxProxyBody {
		return errProxyHeader
	}
	if _, err := io.ReadFull(p.Conn, body); err != nil {
		return err
	}
	if head[12]&0xf == 0 { // LOCAL: the peer's own connection, such as a health check
		return nil
	}
	return p.parse(head[13], body)
}

// startsAlike reports whether head is the beginning of a PROXY header, as far as it goes.
func startsAlike(head []byte) bool {
	n := min(len(head), len(proxySignature))
	return string(head[:n]) == proxySignature[:n]
}

// parse takes the client's address from the header's second part.
func (p *Conn) parse(family byte, body []byte) error {
	var size int
	switch family >> 4 {
	case 1:
		size = 4
	case 2:
		size = 16
	default: // unspecified, or a Unix socket: no address
		return nil
	}
	if len(body) < 2*size+4 {
		return errProxyHeader
	}
	source, _ := netip.AddrFromSlice(body[:size]) // the size is valid
	p.Source = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, binary.BigEndian.Uint16(body[2*size:])))
	return nil
}
