//go:build !unix

package dbfile

import "os"

// links is the number of names that a file has; where the system does not say it, one.
func links(os.FileInfo) uint64 { return 1 }
