//go:build unix

package overload

import (
	"syscall"
	"time"
)

// processorTime returns the processor time that the process has used, false if that is not known.
func processorTime() (time.Duration, bool) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
