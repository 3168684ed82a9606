package tlsserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// The reasons of failed handshakes, a label.
const (
	reasonTimeout     = "timeout"            // the client did not go on within the read time-out
	ReasonClosed      = "closed"             // the client went away
	reasonNotTLS      = "not_tls"            // what came is not TLS
	reasonCertificate = "client_certificate" // the client has none, or one that is not valid here
	reasonRefused     = "refused_by_client"  // the client sent an alert: it does not trust the certificate, say
	reasonProtocol    = "protocol"           // no version, cipher or protocol in common, or a malformed message
)

// Reasons is all of them.
var Reasons = []string{reasonTimeout, ReasonClosed, reasonNotTLS, reasonCertificate, reasonRefused, reasonProtocol}

// Reason returns the reason for a handshake's error.
func Reason(err error) string {
	var record tls.RecordHeaderError
	var invalid *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var op *net.OpError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return reasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ReasonClosed
	case errors.As(err, &record):
		return reasonNotTLS
	case errors.As(err, &invalid), errors.As(err, &authority), strings.Contains(err.Error(), "client didn't provide a certificate"):
		return reasonCertificate // crypto/tls has no type for the last
	case errors.As(err, &op) && op.Op == "remote error":
		return reasonRefused
	}
	return reasonProtocol
}
