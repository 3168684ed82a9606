// Package check is what the suites of engines and of stores have in common: a test whose helpers end it on an error.
package check

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
)

// Test is a test. Its helpers may be called in a transaction's function too, which runs in Inside.
type Test struct {
	*testing.T
	inner atomic.Bool // in a transaction's function, which may run on the engine's goroutine
}

// broken is what does not hold, on its way out of a transaction.
type broken string

func (b broken) Error() string { return string(b) }

// Fatalf ends the test; in a transaction, once that has ended.
func (t *Test) Fatalf(format string, args ...any) {
	t.Helper()
	if t.inner.Load() {
		panic(broken(fmt.Sprintf(format, args...)))
	}
	t.T.Fatalf(format, args...)
}

// Inside runs the function of a transaction, and returns what Fatalf said in it.
func (t *Test) Inside(do func()) (err error) {
	t.inner.Store(true)
	defer func() {
		t.inner.Store(false)
		switch b := recover().(type) {
		case nil:
		case broken:
			err = b
		default:
			panic(b)
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

// Is ends the test unless err is of a kind.
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
