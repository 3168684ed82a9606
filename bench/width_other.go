//go:build !unix

package bench

import "os"

// terminalWidth does not know here; 80 is what most have.
func terminalWidth(*os.File) int { return 80 }
