package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
)

// MakeStore creates a store at path with all groups. With -keep, it copies the store kept from an earlier run, or keeps
// the new one.
func MakeStore(ctx context.Context, o *setup.Options, path, sts string) error {
	kept := ""
	if o.Keep != "" {
		kept = filepath.Join(o.Keep, fmt.Sprintf("jobs-%d.db", o.Things))
		if err := CopyStore(path, kept); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	begun := time.Now()
	g, err := Start(ctx, o, server.Settings{Store: path, Unpinned: true}, sts)
	if err != nil {
		return err
	}
	err = g.FillGroups(ctx, GroupSizes(o.Things))
	g.Stop() // afterwards the store is complete in its file
	if err != nil {
		return err
	}
	o.Progress("things registered in %s", time.Since(begun).Round(time.Millisecond))
	if kept != "" {
		return CopyStore(kept, path)
	}
	return nil
}

// CopyStore copies the store of a process that has exited.
func CopyStore(to, from string) error {
	if _, err := os.Stat(from + "-wal"); err == nil {
		return fmt.Errorf("cannot copy the store %q: its process did not end cleanly and left a -wal file", from)
	}
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("cannot copy the store: %w", err)
	}
	defer func() { _ = in.Close() }() // only read
	// Write to another name and rename: an interrupted run must not leave an incomplete copy to the next.
	out, err := os.OpenFile(to+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot copy the store: %w", err)
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("cannot copy the store to %q: %w", to, err)
	}
	return os.Rename(to+".part", to)
}
