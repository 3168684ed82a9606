//go:build !linux

package load

import "time"

// sleeper waits for a moment with the runtime's timer. One goroutine waits; any may arm.
type sleeper struct{ timer *time.Timer }

func newSleeper() (*sleeper, error) {
	s := &sleeper{time.NewTimer(time.Hour)}
	s.timer.Stop()
	return s, nil
}

// arm makes wait return after d, instead of when it was armed for before.
func (s *sleeper) arm(d time.Duration) { s.timer.Reset(d) }

// wait returns at the armed moment.
func (s *sleeper) wait() error {
	<-s.timer.C
	return nil
}

// close frees the timer. Nobody may arm or wait any more.
func (s *sleeper) close() { s.timer.Stop() }
