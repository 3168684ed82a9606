package sqlite

import (
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
)

// The checkpointer copies the write-ahead log into the database on its own connection while the writer works. If the writer
// never pauses, the copy never completes, and the log would grow without limit. So when the log is long, the writer copies
// the small rest itself, between two groups, and the log starts over.
const (
	walPause = time.Second
	walLong  = 32 << 10 // pages of the log at which the writer helps: 128 MiB
)

// afterGroup wakes the checkpointer, or checkpoints if the write-ahead log is long.
func (w *writer) afterGroup() {
	if w.help.Swap(false) {
		if _, err := checkpoint(w.conn); err != nil {
			w.store.log.Warn("jobs: cannot checkpoint", "error", err)
		}
		return
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// checkpointer copies the log after groups, at most once every walPause, until the writer stops.
func (w *writer) checkpointer() {
	defer w.ended.Done()
	timer := time.NewTimer(walPause)
	defer timer.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-timer.C:
		}
		select {
		case <-w.stop:
			return
		case <-w.wake:
		}
		pages, err := checkpoint(w.checkpoints)
		if err != nil {
			w.store.log.Warn("jobs: cannot checkpoint", "error", err)
		}
		if pages > walLong {
			w.help.Store(true)
		}
		timer.Reset(walPause)
	}
}

// checkpoint copies as much of the log as readers allow, and returns how many pages the log has.
func checkpoint(c *sqlite.Conn) (pages int64, err error) {
	err = query(c, "PRAGMA wal_checkpoint(PASSIVE)", func(stmt *sqlite.Stmt) error {
		pages = stmt.ColumnInt64(1)
		return nil
	})
	return pages, err
}

// close closes the writer's connections. Closing the last one copies the rest of the log.
func (w *writer) close() error {
	var errs []error
	for _, c := range []*sqlite.Conn{w.checkpoints, w.conn} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
