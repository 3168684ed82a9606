package servertest

import (
	"testing"
	"time"
)

// patience is how long Eventually waits: much longer than a busy machine takes.
const patience = 3 * time.Minute

// Eventually waits until done returns true, and fails the test if that takes more than three minutes. It polls, so use it
// only for what nothing announces, such as another process's state. what is the state that it waits for.
func Eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	pause := time.Millisecond
	for end := time.Now().Add(patience); !done(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not after %v: %s", patience, what)
		}
		time.Sleep(pause)
	}
}
