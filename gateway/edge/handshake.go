package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"time"
)

// The reasons for which handshakes fail, the label of that name.
const (
	reasonTimeout     = "timeout"            // the client did not go on within the read time-out
	reasonClosed      = "closed"             // the client went away
	reasonNotTLS      = "not_tls"            // what came is not TLS
	reasonCertificate = "client_certificate" // the client has none, or one that is not valid here
	reasonRefused     = "refused_by_client"  // the client sent an alert: it does not trust the certificate, say
	reasonProtocol    = "protocol"           // no version, cipher or protocol in common, or a malformed message
)

var handshakeReasons = []string{reasonTimeout, reasonClosed, reasonNotTLS, reasonCertificate, reasonRefused, reasonProtocol}

// handshakeReason sorts the error of a handshake.
func handshakeReason(err error) string {
	var record tls.RecordHeaderError
	var invalid *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var op *net.OpError
	switch {
	case IsTimeout(err):
		return reasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return reasonClosed
	case errors.As(err, &record):
		return reasonNotTLS
	case errors.As(err, &invalid), errors.As(err, &authority), strings.Contains(err.Error(), "client didn't provide a certificate"):
		return reasonCertificate // crypto/tls has no type for the last
	case errors.As(err, &op) && op.Op == "remote error":
		return reasonRefused
	}
	return reasonProtocol
}

// handshakeFailed counts a failed handshake and logs it: each at level debug, a few a second as a warning. A scanner or a
// health check that connects and goes is no warning.
func (l *Listener) handshakeFailed(c *Conn, err error) {
	reason := handshakeReason(err)
	l.Metrics.handshakeFailed(l.Name, reason)
	level := slog.LevelDebug
	if reason != reasonClosed && l.warnings.Allow(time.Now()) {
		level = slog.LevelWarn
	}
	l.Log.Log(context.Background(), level, "a TLS handshake failed", "listener", l.Name, "peer", c.RemoteAddr().String(), "reason", reason, "error", err)
}
