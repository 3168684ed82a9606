package dbfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Prepare creates the database file and its lock file if they do not exist. They are readable by their owner only, because
// the store holds documents and secrets. SQLite creates its other files with the same permissions. Prepare returns the path
// without symbolic links, as SQLite does, so that two paths to one file have one lock.
func Prepare(path string) (string, error) {
	if err := checkFile(path); err != nil {
		return "", err
	}
	for _, name := range []string{path, path + "-lock"} {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return "", err
		}
		if err := f.Close(); err != nil {
			return "", err
		}
	}
	return filepath.EvalSymlinks(path)
}

// Opened is a file that a process has open. It is safe for concurrent use.
type Opened struct {
	path string
	mu   sync.Mutex
	last fs.FileInfo // time of the last Look
}

// Watch remembers the file that was opened under path, which has no symbolic links.
func Watch(path string) (*Opened, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &Opened{path: path, last: info}, nil
}

// Look returns an error unless the file is still the one that was opened. SQLite continues if the file was replaced or
// deleted, but further changes are lost when the process ends.
func (o *Opened) Look() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	info, err := os.Stat(o.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the file %q was deleted or moved: what has changed since is lost when this process ends; put it back, or stop jobgate and restore a backup", o.path)
	case err != nil:
		return fmt.Errorf("cannot look at the file: %w", err)
	case !os.SameFile(info, o.last):
		return fmt.Errorf("the file %q is not the one that was opened: changes still go to the old one; stop jobgate before you replace its store", o.path)
	case info.Size() < o.last.Size():
		return fmt.Errorf("the file %q was cut from %d to %d bytes: stop jobgate and restore a backup", o.path, o.last.Size(), info.Size())
	}
	o.last = info
	return nil
}

// checkFile refuses a database whose file is missing or empty although its write-ahead log has changes: SQLite would create
// an empty database and drop these changes. It also refuses a file with two names, because each would have its own log and
// lock.
func checkFile(path string) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		if n := links(info); n > 1 {
			return fmt.Errorf("the file has %d names (hard links), and another process could open it by another; copy it, or remove the other names", n)
		}
		if info.Size() > 0 {
			return nil
		}
	}
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		state := "missing"
		if info != nil {
			state = "empty"
		}
		return fmt.Errorf("the file is %s, but %s-wal holds changes of it; put the database back beside it, or move the -wal away to start anew", state, path)
	}
	return nil
}
