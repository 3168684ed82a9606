package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// prepareFile creates the database file if it is not there, and the one for its lock, readable by their owner only: documents
// and the store's secrets are in them. SQLite makes the others as it finds this one. It returns the path without symbolic links,
// as SQLite sees it, so that two ways to one file have one lock.
func prepareFile(path string) (string, error) {
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

// Look says whether the database's file is still the one that was opened. SQLite goes on without it: what is changed then
// is lost when the process ends.
func (s *Store) Look() error {
	s.known.Lock()
	defer s.known.Unlock()
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the file %q was deleted or moved: what has changed since is lost when this process ends; put it back, or stop jobgate and restore a backup", s.path)
	case err != nil:
		return fmt.Errorf("cannot look at the file: %w", err)
	case !os.SameFile(info, s.file):
		return fmt.Errorf("the file %q is another than the one that was opened: changes still go to the old one; stop jobgate before you replace its store", s.path)
	case info.Size() < s.file.Size():
		return fmt.Errorf("the file %q was cut from %d to %d bytes: stop jobgate and restore a backup", s.path, s.file.Size(), info.Size())
	}
	s.file = info
	return nil
}

// checkFile refuses a database that has lost its file and one that has two names: SQLite would begin an empty database
// over the changes of a lost one, and each name would have a log and a lock of its own.
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
