//go:build !unix

package openfiles

// Limit returns how many files the process may have open; 0 if there is no limit.
func Limit() int { return 0 }
