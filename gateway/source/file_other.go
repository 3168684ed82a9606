//go:build !linux

package source

import (
	"fmt"
	"io/fs"
	"time"
)

// fileTag returns the ETag of a file: size and time of the last change. "" if that was
// just now.
func fileTag(info fs.FileInfo, now time.Time) string {
	changed := info.ModTime()
	if now.Sub(changed) < settled {
		return ""
	}
	return fmt.Sprintf(`"%x-%x"`, info.Size(), changed.UnixNano())
}
