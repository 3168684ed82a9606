package sqlite

import (
	"os"
	"runtime"
)

// breath lets others run in the course of a long change where Go has one processor. A goroutine that computes keeps it
// for 10 ms, and neither runtime.Gosched nor a channel helps those who wait on connections: the runtime looks at these
// when it has nothing else to do, or every 10 ms. So the writer waits on a connection, too: a pipe that is filled when
// it waits, and it is woken with everybody else whom the poller has something for.
type breath struct {
	r, w *os.File
	rows int
	in   [1]byte
	out  [1]byte
}

// breathEvery is how many rows lie between two breaths: half a millisecond's, next to a few µs for the breath.
const breathEvery = 64

func newBreath() (b *breath, err error) {
	b = new(breath)
	b.r, b.w, err = os.Pipe()
	return b, err
}

// row counts a row that was changed, and takes a breath if one is due.
func (b *breath) row() {
	if b.rows++; b.rows < breathEvery {
		return
	}
	if b.rows = 0; runtime.GOMAXPROCS(0) > 1 {
		return
	}
	go func() { _, _ = b.w.Write(b.out[:]) }() // Close ends the wait, too
	_, _ = b.r.Read(b.in[:])
}

func (b *breath) close() {
	_ = b.w.Close()
	_ = b.r.Close()
}
