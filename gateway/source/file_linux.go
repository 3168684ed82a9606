package source

import (
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// fileTag returns the ETag of a file: inode, size and ctime, which programs cannot set
// back. "" if it changed just now.
func fileTag(info fs.FileInfo, now time.Time) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	changed := time.Unix(st.Ctim.Unix())
	if now.Sub(changed) < settled {
		return ""
	}
	return fmt.Sprintf(`"%x-%x-%x-%x"`, st.Dev, st.Ino, info.Size(), changed.UnixNano())
}
