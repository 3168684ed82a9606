package dbfile

import (
	"errors"
	"fmt"
	"os"

	"zombiezen.com/go/sqlite/sqlitex"
)

// Backup writes a snapshot of the store at path to another file, even if a process has the store open. The copy is readable
// by its owner only. It must not exist yet.
func Backup(path, to string) (err error) {
	conn, err := openForReading(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%q exists already", to)
	}
	part := to + ".part"
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(part) }() // a no-op after the rename
	if err := f.Close(); err != nil {
		return err
	}
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA query_only = 0", nil); err != nil { // SQLite counts the new file as a change
		return err
	}
	if err := sqlitex.ExecuteTransient(conn, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{part}}); err != nil {
		return err
	}
	if f, err = os.Open(part); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, to)
}
