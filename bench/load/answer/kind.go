package answer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/valyala/fasthttp"
)

// Kind is how a request ended.
type Kind uint8

// A request that is not good failed, for one of these reasons.
const (
	Good Kind = iota
	Refused
	ConnectTimeout
	ConnectFailed
	TLSFailed
	Exhausted
	TimedOut
	Closed
	Truncated
	Garbage
	TooLarge
	WrongStatus
	PlaceholderLeft
	NotJSON
	Rejected
	Unsent
	Abandoned // not a failure: the run was interrupted
	Kinds     // how many there are
)

// String returns the name used in reports.
func (k Kind) String() string {
	return [Kinds]string{
		"good", "refused", "connect timeout", "connect", "tls", "out of ports/files", "timeout", "closed", "truncated",
		"garbage", "too large", "status", "placeholder left", "not JSON", "rejected", "unsent", "abandoned",
	}[k]
}

// Reasons why an answer is not good although it is valid HTTP.
var (
	errPlaceholder = errors.New("the answer has an unfilled ${aws:iot:…} placeholder")
	errNotJSON     = errors.New("the answer is declared JSON but is not")
	ErrTrailing    = errors.New("unexpected bytes follow the answer")
)

// ConnectKind classifies what went wrong while connecting.
func ConnectKind(err error) Kind {
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return Exhausted
	case isTLS(err):
		return TLSFailed
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return ConnectTimeout
	}
	return ConnectFailed
}

// HeaderLimit is the maximum size of an answer's headers, in bytes: a connection's read buffer.
const HeaderLimit = 8 << 10

// TLSError marks an error of the TLS handshake.
type TLSError struct{ Err error }

func (e TLSError) Error() string { return e.Err.Error() }

func (e TLSError) Unwrap() error { return e.Err }

// isTLS reports whether err came from the handshake and is not a timeout.
func isTLS(err error) bool {
	var handshake TLSError
	return errors.As(err, &handshake) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// ExchangeKind classifies what went wrong while sending a request or reading its
// answer. begun reports whether some bytes of the answer had arrived.
func ExchangeKind(err error, begun bool) Kind {
	var netErr net.Error
	var op *net.OpError
	switch {
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return TimedOut
	case errors.As(err, &op) && op.Op == "remote error":
		return TLSFailed // an alert: TLS 1.3 refuses a client certificate after the client's handshake
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return TooLarge
	case isClosed(err) && !begun:
		return Closed
	case isClosed(err):
		return Truncated
	}
	return Garbage
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Explain returns a clearer error for a kind whose own error says too little.
func Explain(k Kind, err error) error {
	var small *fasthttp.ErrSmallBuffer
	if errors.As(err, &small) {
		return fmt.Errorf("the answer's headers take more than %d bytes", HeaderLimit)
	}
	switch plain := err == io.EOF || err == io.ErrUnexpectedEOF; { //nolint:errorlint // a wrapped one says more
	case plain && k == Truncated:
		return errors.New("the target closed the connection in the middle of an answer")
	case plain && k == Closed:
		return errors.New("the target closed the connection without an answer")
	}
	return err
}

// presignedParts are the parts of a presigned URL's query, which no report may show.
var presignedParts = regexp.MustCompile(`(?i)X-Amz-[a-z0-9-]+(=|%3D)[^&\s"'\\]*`)

// Example returns err as a short line that is safe to print, because err may quote
// bytes of an answer.
func Example(err error) string {
	s := presignedParts.ReplaceAllString(err.Error(), "X-Amz-…")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return ' '
		}
		return r
	}, s)
	if len(s) > 160 {
		s = strings.ToValidUTF8(s[:160], "") + "…"
	}
	return s
}
