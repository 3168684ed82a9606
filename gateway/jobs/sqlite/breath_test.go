package sqlite

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// TestBreath has one processor, on which a change that computes lets somebody who waits on a connection run.
func TestBreath(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b, err := newBreath()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		_, _ = r.Read(make([]byte, 1))
	}()
	time.Sleep(10 * time.Millisecond) // it waits
	if _, err := w.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	for range 3 * breathEvery {
		b.row()
	}
	select {
	case <-woken:
	default:
		t.Error("who waited on a connection has not run")
	}
}
