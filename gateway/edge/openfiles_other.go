//go:build !unix

package edge

// OpenFiles returns how many files the process may have open; 0 if nothing limits them.
func OpenFiles() int { return 0 }
