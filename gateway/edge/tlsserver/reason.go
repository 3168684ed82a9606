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

// The reasons for failed handshakes, values of a label.
const (
	reasonTimeout     = "timeout"            // the client did not finish within the read time-out
	ReasonClosed      = "closed"             // the client disconnected
	reasonNotTLS      = "not_tls"            // the client does not speak TLS
	reasonCertificate = "client_certificate" // the client's certificate is missing or not valid
	reasonRefused     = "refused_by_client"  // the client sent an alert, for example because it does not trust the certificate
	reasonProtocol    = "protocol"           // no common version, cipher or protocol, or a malformed message
)

// Reasons are all reasons.
var Reasons = []string{reasonTimeout, ReasonClosed, reasonNotTLS, reasonCertificate, reasonRefused, reasonProtocol}

// Reason returns the reason for a failed handshake from its error.
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
