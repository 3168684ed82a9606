package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/sqlite/dbfile"
	"jobgate/gateway/jobs/sqlite/view"
)

// Options locate a store.
type Options struct {
	Path string       // the database file; it is created, readable by its owner only. Beside it are Path-wal, Path-shm and Path-lock
	Log  *slog.Logger // nil: discards

	// NoSync leaves flushing to the operating system: a crash of the machine loses answered changes, a crash of the
	// process does not. For tests and throwaway data.
	NoSync bool
}

// Store is the engine.
type Store struct {
	log   *slog.Logger
	lock  *sqlite.Conn  // holds Path-lock
	reads *sqlitex.Pool // for operators' reads
	view  *view.View
	queue chan *request // small changes
	sets  chan *request // large changes

	requests sync.Pool // *request

	shut     atomic.Bool // Close was called
	closed   sync.Once
	writers  sync.WaitGroup // changes in progress
	writerMu sync.RWMutex   // orders shut and writers.Add
	done     chan struct{}  // closed when writer and checkpointer have ended
	closeErr error

	file *dbfile.Opened
}

var _ engine.Engine = (*Store)(nil)

// readers is the number of read connections.
const readers = 4

// Open opens a store, creates it if it does not exist, and migrates it to this program's version. It loads what devices
// request into memory, which takes about a second for a million things.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Path == "" {
		return nil, errors.New("cannot open the jobs store: no path")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		log: o.Log, view: view.New(), queue: make(chan *request, maxGroup), sets: make(chan *request, 1),
		done: make(chan struct{}), requests: sync.Pool{New: newRequest},
	}
	if err := s.open(ctx, o); err != nil {
		return nil, fmt.Errorf("cannot open the jobs store %q: %w", o.Path, err)
	}
	return s, nil
}

// open takes the lock, migrates, loads and starts the writer. On failure it closes everything.
func (s *Store) open(ctx context.Context, o Options) (err error) {
	if o.Path, err = dbfile.Prepare(o.Path); err != nil {
		return err
	}
	if s.lock, err = takeLock(o.Path + "-lock"); err != nil {
		return err
	}
	w := &writer{store: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
			if s.reads != nil {
				err = errors.Join(err, s.reads.Close())
			}
			err = errors.Join(err, s.lock.Close())
		}
	}()
	if w.conn, err = connect(o, "PRAGMA wal_autocheckpoint = 0", "PRAGMA cache_size = -65536"); err != nil {
		return err
	}
	if err = dbfile.Migrate(w.conn); err != nil {
		return err
	}
	if w.checkpoints, err = connect(o); err != nil {
		return err
	}
	s.reads, err = sqlitex.NewPool(o.Path, sqlitex.PoolOptions{
		Flags: sqlite.OpenReadWrite, PoolSize: readers,
		PrepareConn: func(c *sqlite.Conn) error { return sqlitex.ExecuteTransient(c, "PRAGMA query_only = 1", nil) },
	})
	if err != nil {
		return err
	}
	if err = load(ctx, s.view, w.conn); err != nil {
		return err
	}
	if s.file, err = dbfile.Watch(o.Path); err != nil {
		return err
	}
	w.start()
	return nil
}

// connect opens a connection for writing.
func connect(o Options, pragmas ...string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(o.Path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	if _, err := dbfile.Version(c); err != nil { // before any write: the file may belong to another program
		return nil, errors.Join(err, c.Close())
	}
	sync := "PRAGMA synchronous = FULL"
	if o.NoSync {
		sync = "PRAGMA synchronous = OFF"
	}
	for _, p := range append([]string{"PRAGMA journal_mode = WAL", sync}, pragmas...) {
		if err := sqlitex.ExecuteTransient(c, p, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", p, err), c.Close())
		}
	}
	return c, nil
}

// takeLock excludes other handles, of this process and others, until its connection is closed or its process ends. The lock
// is a database of its own, locked exclusively.
func takeLock(path string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	c.SetBusyTimeout(0)
	if err := sqlitex.ExecuteTransient(c, "BEGIN EXCLUSIVE", nil); err != nil {
		if code := sqlite.ErrCode(err).ToPrimary(); code == sqlite.ResultBusy || code == sqlite.ResultLocked {
			err = engine.ErrInUse
		}
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close implements engine.Engine. It waits for the changes in progress, moves the write-ahead log into the database and
// closes the files.
func (s *Store) Close() error {
	s.closed.Do(func() {
		s.writerMu.Lock()
		s.shut.Store(true)
		s.writerMu.Unlock()
		s.writers.Wait()
		close(s.queue)
		close(s.sets)
		<-s.done
		s.closeErr = errors.Join(s.closeErr, s.reads.Close(), s.lock.Close())
	})
	return s.closeErr
}

// Look reports whether the database's file is still the one that was opened.
func (s *Store) Look() error { return s.file.Look() }

// read runs do on a read connection, in one transaction.
func (s *Store) read(ctx context.Context, do func(c *sqlite.Conn) error) (err error) {
	if s.shut.Load() {
		return engine.ErrClosed
	}
	c, err := s.reads.Take(ctx)
	if err != nil {
		if ctx.Err() == nil {
			return engine.ErrClosed
		}
		return ctx.Err()
	}
	defer s.reads.Put(c)
	end := sqlitex.Transaction(c)
	defer end(&err)
	return do(c)
}
