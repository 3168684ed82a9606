package timer

import (
	"testing"
	"time"
)

// TestTimer expects Wait to last at least the duration armed last.
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
