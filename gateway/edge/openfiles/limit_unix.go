//go:build unix

package openfiles

import (
	"math"
	"syscall"
)

// Limit returns how many files the process may have open; 0 if there is no limit. Go raises the soft limit to the hard one
// before main begins.
func Limit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || uint64(limit.Cur) > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur) //nolint:unconvert // its type differs by system
}
