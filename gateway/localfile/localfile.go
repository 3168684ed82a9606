// Package localfile reads the small files that a configuration names: keys, passwords,
// tokens and certificates. Only regular files, or links to them, are read: a pipe, a
// device or a socket could block a start or a reload, or never end.
package localfile

import (
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Limit is the default bound on a file, in bytes.
const Limit = 16 << 20

// Read returns the content of a file of at most limit bytes, and its mode. It does not
// block on a pipe. Errors name the file and never contain its content.
func Read(name string, limit int64) ([]byte, fs.FileMode, error) {
	// Without O_NONBLOCK, opening a pipe without a writer would block.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // read only
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
