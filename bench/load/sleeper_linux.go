package load

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper waits for a moment more precisely than the runtime's timers do, which an
// idle process rounds up to a whole millisecond (epoll's unit): a timerfd in the
// poller wakes its reader some 20 µs after the moment. One goroutine waits; any may arm.
type sleeper struct {
	file *os.File
	fd   int
	buf  [8]byte
}

func newSleeper() (*sleeper, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create a timer: %w", err)
	}
	return &sleeper{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}, nil
}

// arm makes wait return after d, instead of when it was armed for before.
func (s *sleeper) arm(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	// It fails for a bad descriptor or a bad value only, and these are ours.
	_ = unix.TimerfdSettime(s.fd, 0, &spec, nil)
}

// wait returns at the armed moment.
func (s *sleeper) wait() error {
	if _, err := s.file.Read(s.buf[:]); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("cannot wait for a timer: %w", err)
	}
	return nil
}

// close frees the timer. Nobody may arm or wait any more.
func (s *sleeper) close() { _ = s.file.Close() }
