//go:build unix

package bench

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth returns the terminal's width in characters, or 0 if it is unknown.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
