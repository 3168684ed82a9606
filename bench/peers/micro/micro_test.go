package micro

import (
	"testing"
)

func TestNanoseconds(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(nanoseconds(35), "35 ns")
	f(nanoseconds(24400), "24.40 µs")
}
