package load

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

// kind is how a request ended.
type kind uint8

// A request that is not good failed, for one of these reasons.
const (
	good kind = iota
	refused
	connectTimeout
	connectFailed
	tlsFailed
	exhausted
	timedOut
	closed
	truncated
	garbage
	tooLarge
	wrongStatus
	placeholderLeft
	notJSON
	unsent
	abandoned // not a failure: the run was interrupted
	kinds     // how many there are
)

// String returns the name that reports have.
func (k kind) String() string {
	return [kinds]string{
		"good", "refused", "connect timeout", "connect", "tls", "out of ports/files", "timeout", "closed", "truncated",
		"garbage", "too large", "status", "placeholder left", "not JSON", "unsent", "abandoned",
	}[k]
}

// An answer that is not right although HTTP has nothing against it.
var (
	errPlaceholder = errors.New("the answer has an unfilled ${aws:iot:…} placeholder")
	errNotJSON     = errors.New("the answer says that it is JSON and is not")
	errFollowed    = errors.New("the answer is followed by bytes that nobody asked for")
)

// connectKind classifies what went wrong while connecting.
func connectKind(err error) kind {
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return refused
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return exhausted
	case isTLS(err):
		return tlsFailed
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return connectTimeout
	}
	return connectFailed
}

// tlsError marks an error of the handshake.
type tlsError struct{ error }

func (e tlsError) Unwrap() error { return e.error }

// isTLS says whether err came from the handshake and is not just time running out.
func isTLS(err error) bool {
	var handshake tlsError
	return errors.As(err, &handshake) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// answerKind classifies what went wrong while sending a request or reading its
// answer, of which some bytes had come if begun.
func answerKind(err error, begun bool) kind {
	var netErr net.Error
	var op *net.OpError
	switch {
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut
	case errors.As(err, &op) && op.Op == "remote error":
		return tlsFailed // an alert: TLS 1.3 refuses a client certificate after the client's handshake
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return tooLarge
	case isClosed(err) && !begun:
		return closed
	case isClosed(err):
		return truncated
	}
	return garbage
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// inWords returns what happened for a kind whose error says too little.
func inWords(k kind, err error) error {
	var small *fasthttp.ErrSmallBuffer
	if errors.As(err, &small) {
		return fmt.Errorf("the answer's headers take more than %d bytes", readBuffer)
	}
	switch plain := err == io.EOF || err == io.ErrUnexpectedEOF; { //nolint:errorlint // a wrapped one says more
	case plain && k == truncated:
		return errors.New("the target closed the connection within an answer")
	case plain && k == closed:
		return errors.New("the target closed the connection without an answer")
	}
	return err
}

// presignedParts are the parts of a presigned URL's query, which no report may show.
var presignedParts = regexp.MustCompile(`(?i)X-Amz-[a-z0-9-]+(=|%3D)[^&\s"'\\]*`)

// example returns err as a short line that is safe to print: an answer's bytes may be
// quoted in it.
func example(err error) string {
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
