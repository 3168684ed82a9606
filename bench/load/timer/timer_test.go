package timer

import (
	"testing"
	"time"
)

// TestTimer waits for the moment that was armed last, and not less.
func TestTimer(t *testing.T) {
	timer, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer timer.Close()
	for _, d := range []time.Duration{0, time.Microsecond, 3 * time.Millisecond} {
		timer.Arm(time.Hour)
		start := time.Now()
		timer.Arm(d)
		if err := timer.Wait(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < d {
			t.Errorf("armed for %v, Wait returned after %v", d, took)
		}
	}
}
