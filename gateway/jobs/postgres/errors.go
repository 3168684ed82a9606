package postgres

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

// code returns the server's code; "" if the error is not the server's.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// repeatable says whether the server undid a transaction that may succeed when it is tried again.
func repeatable(err error) bool {
	c := code(err)
	return c == serializationFailure || c == deadlockDetected
}

// lost says whether what was sent may have been done although there is no answer.
func lost(err error) bool {
	var connect *pgconn.ConnectError
	if err == nil || errors.As(err, &connect) || pgconn.SafeToRetry(err) {
		return false
	}
	switch c := code(err); {
	case c == "": // the connection broke, or the time was up
		return !errors.Is(err, engine.ErrClosed)
	case c[:2] == "08", c == "57P01", c == "57P02":
		return true
	}
	return false
}

// problem makes of an error of the driver one of the engine's. The server's message names no row's content that a client
// may not see: it goes to the log, not to clients.
func problem(err error) error {
	if err == nil || errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrUnknown) {
		return err
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		var connect *pgconn.ConnectError
		if errors.As(err, &connect) || lost(err) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) {
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

// retried runs f again as long as the server asks for it and ctx allows.
func retried[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		v, err := f()
		if !repeatable(err) || !pause(ctx, n) {
			return v, err
		}
	}
}

// patient runs f again while the database cannot be reached and ctx allows.
func patient[T any](ctx context.Context, f func() (T, error)) (T, error) {
	for n := 1; ; n++ {
		v, err := f()
		if err == nil || !pause(ctx, n+3) {
			return v, err
		}
	}
}

// pause waits before try n+1: a moment, longer from try to try, by chance. false if ctx ends first.
func pause(ctx context.Context, n int) bool {
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
