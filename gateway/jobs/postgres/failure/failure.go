// Package failure classifies PostgreSQL's errors: which transactions to repeat, which have an unknown outcome, and how the
// rules of jobs see them.
package failure

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"jobgate/gateway/jobs/engine"
)

// PostgreSQL's codes (Appendix A of its documentation).
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	readOnly             = "25006"
	numericOutOfRange    = "22003"
	sequenceLimit        = "2200H"
)

// Code returns the server's code; "" if the error is not the server's.
func Code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// Repeatable reports whether the server rolled back a transaction that may succeed when repeated.
func Repeatable(err error) bool {
	c := Code(err)
	return c == serializationFailure || c == deadlockDetected
}

// Lost reports whether a statement may have been executed although there is no answer.
func Lost(err error) bool {
	var connect *pgconn.ConnectError
	if err == nil || errors.As(err, &connect) || pgconn.SafeToRetry(err) {
		return false
	}
	switch c := Code(err); {
	case c == "": // the connection broke, or it timed out
		return !errors.Is(err, engine.ErrClosed)
	case c[:2] == "08", c == "57P01", c == "57P02":
		return true
	}
	return false
}

// Convert turns an error of the driver into one of the engine. The server's message may name a row's content that a client
// must not see: it goes to the log, not to clients.
func Convert(err error) error {
	if err == nil || errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrUnknown) {
		return err
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		var connect *pgconn.ConnectError
		if errors.As(err, &connect) || Lost(err) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) {
			return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
		}
		return err
	}
	switch c := pg.Code; {
	case c == numericOutOfRange, c == sequenceLimit:
		return fmt.Errorf("%w: %w", engine.ErrFull, err)
	case c == readOnly, c == serializationFailure, c == deadlockDetected,
		c[:2] == "08", c[:2] == "53", c[:2] == "57", c[:2] == "58", c == "55P03", c == "25P03":
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	return err
}

// Retry repeats f as long as its error is Repeatable and ctx allows.
func Retry[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		v, err := f()
		if !Repeatable(err) || !Pause(ctx, n) {
			return v, err
		}
	}
}

// RetryUnreachable repeats f while the database cannot be reached and ctx allows.
func RetryUnreachable[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		v, err := f()
		if err == nil || !Pause(ctx, n+3) {
			return v, err
		}
	}
}

// Pause waits before attempt n+1, with a random delay that grows with n. It returns false if ctx ends first.
func Pause(ctx context.Context, n int) bool {
	longest := min(time.Millisecond<<min(n, 8), 100*time.Millisecond)
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(longest)))) //nolint:gosec // spread, not a secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
