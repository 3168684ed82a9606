// Package check is shared by the suites of engines and of stores: a test whose helpers end it on an error.
package check

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
)

// Test is a test. A transaction's function may call its helpers too, if Inside runs that function.
type Test struct {
	*testing.T
	inner atomic.Bool // Inside is running: maybe on the engine's goroutine, where FailNow is not allowed
}

// failure is the text of a Fatalf inside a transaction.
type failure string

func (f failure) Error() string { return string(f) }

// Fatalf ends the test. Inside a transaction it first ends the transaction, which returns the text as its error.
func (t *Test) Fatalf(format string, args ...any) {
	t.Helper()
	if t.inner.Load() {
		panic(failure(fmt.Sprintf(format, args...)))
	}
	t.T.Fatalf(format, args...)
}

// Inside runs the function of a transaction, and returns the text of a Fatalf in it as an error.
func (t *Test) Inside(do func()) (err error) {
	t.inner.Store(true)
	defer func() {
		t.inner.Store(false)
		switch f := recover().(type) {
		case nil:
		case failure:
			err = f
		default:
			panic(f)
		}
	}()
	do()
	return nil
}

// OK ends the test on an error.
func (t *Test) OK(err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// Is ends the test unless err matches kind, as errors.Is does.
func (t *Test) Is(err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error is %v, want %v", err, kind)
	}
}

// Open opens a handle, and closes it at the end of the test.
func Open[H io.Closer](t *Test, open func() (H, error)) H {
	t.Helper()
	h, err := open()
	t.OK(err)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return h
}
