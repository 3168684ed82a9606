package edge

import (
	"math"
	"runtime/debug"
	"testing"
)

// records knows where a record ends, however the bytes come.
func TestRecords(t *testing.T) {
	stream := "\x16\x03\x01\x00\x03abc" + "\x17\x03\x03\x00\x00" + "\x17\x03\x03\x01\x04" + string(make([]byte, 260))
	whole := map[int]bool{0: true, 8: true, 13: true, len(stream): true}
	for size := 1; size <= len(stream); size++ {
		var r records
		for at := 0; at < len(stream); {
			n := min(size, len(stream)-at)
			r.follow([]byte(stream[at : at+n]))
			if at += n; r.inside() == whole[at] {
				t.Fatalf("in pieces of %d, after %d bytes: inside is %v", size, at, r.inside())
			}
		}
	}
}

// Memory is near its limit when an eighth of that or less is left, and never without one.
func TestMemoryIsNear(t *testing.T) {
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	limit := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(limit)
	f := func(limit int64, want bool) {
		t.Helper()
		debug.SetMemoryLimit(limit)
		if got := memoryIsNear(); got != want {
			t.Errorf("with a limit of %d bytes: %v, want %v", limit, got, want)
		}
	}
	f(math.MaxInt64, false)
	f(64<<30, false)
	f(72<<20, true) // an eighth of it is 9 MB
	if ballast[len(ballast)-1] != 1 {
		t.Fatal("the ballast is gone")
	}
}
