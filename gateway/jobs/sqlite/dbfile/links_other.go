//go:build !unix

package dbfile

import "os"

// links is the number of a file's names; one, because this system does not report it.
func links(os.FileInfo) uint64 { return 1 }
