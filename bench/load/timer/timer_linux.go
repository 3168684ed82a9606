package timer

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Timer waits for a moment more precisely than the runtime's timers do, which an
// idle process rounds up to a whole millisecond (epoll's unit): a timerfd in the
// poller wakes its reader some 20 µs after the moment. One goroutine waits; any may arm.
type Timer struct {
	file *os.File
	fd   int
	buf  [8]byte
}

// New returns a timer that is not armed.
func New() (*Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create a timer: %w", err)
	}
	return &Timer{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}, nil
}

// Arm makes Wait return after d, instead of at the moment armed before.
func (t *Timer) Arm(d time.Duration) {
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(d, 1)))}
	// It fails only for an invalid descriptor or value, and both are ours.
	_ = unix.TimerfdSettime(t.fd, 0, &spec, nil)
}

// Wait returns at the armed moment.
func (t *Timer) Wait() error {
	if _, err := t.file.Read(t.buf[:]); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("cannot wait for a timer: %w", err)
	}
	return nil
}

// Close frees the timer. It must not be used afterwards.
func (t *Timer) Close() { _ = t.file.Close() }
