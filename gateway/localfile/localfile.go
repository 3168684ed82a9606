// Package localfile reads the small files that a configuration names: keys, passwords,
// tokens and certificates. A pipe, a device or a socket in such a place would hang a
// start or a reload, or never end; only regular files, or links to them, are read.
package localfile

import (
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Limit bounds a file for which no other bound is known, in bytes.
const Limit = 16 << 20

// Read returns what is in a file of at most limit bytes, and its mode. It does not wait
// for anybody who might write. Errors name the file, never what is in it.
func Read(name string, limit int64) ([]byte, fs.FileMode, error) {
	// A pipe that nobody writes to would block without O_NONBLOCK.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is %s, not a regular file", name, kind(info.Mode()))
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, 0, err
	}
	if int64(len(text)) > limit {
		return nil, 0, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return text, info.Mode(), nil
}

// KeyPair reads a certificate and its private key, both in PEM.
func KeyPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, _, err := Read(certFile, Limit)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, _, err := Read(keyFile, Limit)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a directory"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "of mode " + m.String()
}
