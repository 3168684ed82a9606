//go:build unix

package bench

import (
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth returns how many characters a line of the terminal has, or 0 if it does
// not say.
func terminalWidth(f *os.File) int {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
