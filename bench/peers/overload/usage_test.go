package overload

import (
	"testing"
	"time"
)

func TestUsage(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1000, 0).Add(time.Duration(ms) * time.Millisecond) }
	u := usage{{at(0), 10 * time.Millisecond}, {at(100), 10 * time.Millisecond}, {at(200), 110 * time.Millisecond}, {at(300), 160 * time.Millisecond}}
	f := func(from, length int, want time.Duration) {
		t.Helper()
		if got := u.between(at(from), time.Duration(length)*time.Millisecond); got != want {
			t.Errorf("from %d ms, in %d ms: %v, want %v", from, length, got, want)
		}
	}
	f(0, 300, 150*time.Millisecond)
	f(0, 100, 0)
	f(100, 50, 50*time.Millisecond)
	f(150, 100, 75*time.Millisecond)
	f(-50, 100, 0)
	f(250, 500, 25*time.Millisecond) // ends after the last sample
	if got := (usage{}).between(at(0), time.Second); got != 0 {
		t.Errorf("without samples: %v, want 0", got)
	}
}
