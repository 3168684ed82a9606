//go:build !linux

package timer

import "time"

// Timer waits for a moment with the runtime's timer. One goroutine waits; any may arm.
type Timer struct{ timer *time.Timer }

// New returns a timer that is not armed.
func New() (*Timer, error) {
	t := &Timer{time.NewTimer(time.Hour)}
	t.timer.Stop()
	return t, nil
}

// Arm makes Wait return after d, instead of at the moment armed before.
func (t *Timer) Arm(d time.Duration) { t.timer.Reset(d) }

// Wait returns at the armed moment.
func (t *Timer) Wait() error {
	<-t.timer.C
	return nil
}

// Close frees the timer. It must not be used afterwards.
func (t *Timer) Close() { t.timer.Stop() }
