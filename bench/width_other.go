//go:build !unix

package bench

import "os"

// terminalWidth returns 80, a common width: the actual one is not known here.
func terminalWidth(*os.File) int { return 80 }
