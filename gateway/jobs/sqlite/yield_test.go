package sqlite

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// BenchmarkYield runs a change of 20 ms that yields every half millisecond, on one processor. At its start, a byte arrives for
// a goroutine that waits on a pipe. wait-ms is how long that goroutine waits; an operation is one change.
func BenchmarkYield(b *testing.B) { benchmarkYield(b, runtime.Gosched) }

// BenchmarkYield_None runs the change without yielding.
func BenchmarkYield_None(b *testing.B) { benchmarkYield(b, func() {}) }

func benchmarkYield(b *testing.B, yield func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	arrived := make(chan time.Time)
	go func() {
		for one := make([]byte, 1); ; {
			if _, err := r.Read(one); err != nil {
				return
			}
			arrived <- time.Now()
		}
	}()
	var waited time.Duration
	for b.Loop() {
		sent := time.Now()
		if _, err := w.Write([]byte{1}); err != nil {
			b.Fatal(err)
		}
		for range 40 {
			for begun := time.Now(); time.Since(begun) < 500*time.Microsecond; {
			}
			yield()
		}
		waited += (<-arrived).Sub(sent)
	}
	b.ReportMetric(waited.Seconds()*1000/float64(b.N), "wait-ms")
}
