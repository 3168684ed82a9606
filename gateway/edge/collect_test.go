package edge

import (
	"math"
	"runtime/debug"
	"testing"
)

// Memory is near its limit when at most an eighth of the limit is left. Without a limit it never is.
func TestNearMemoryLimit(t *testing.T) {
	ballast := make([]byte, 64<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	limit := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(limit)
	f := func(limit int64, want bool) {
		t.Helper()
		debug.SetMemoryLimit(limit)
		if got := nearMemoryLimit(); got != want {
			t.Errorf("with a limit of %d bytes: %v, want %v", limit, got, want)
		}
	}
	f(math.MaxInt64, false)
	f(64<<30, false)
	f(72<<20, true) // an eighth of it is 9 MB
	if ballast[len(ballast)-1] != 1 {
		t.Fatal("the ballast was changed")
	}
}
