package setup

import (
	"testing"
	"time"
)

// wrk accepts whole seconds only.
func TestWrkLength(t *testing.T) {
	f := func(length, want time.Duration) {
		t.Helper()
		o := Options{Length: length}
		if got := o.WrkLength(); got != want {
			t.Errorf("wrk's turn for -duration %s is %s, want %s", length, got, want)
		}
	}
	f(100*time.Millisecond, time.Second)
	f(1500*time.Millisecond, 2*time.Second)
	f(5*time.Second, 5*time.Second)
}
