//go:build !unix

package dbfile

import "os"

// links returns 1, because this system does not report the number of a file's names.
func links(os.FileInfo) uint64 { return 1 }
