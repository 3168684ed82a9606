package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// Bounds of a group: how many changes it takes, and for how long it takes further ones, whichever comes first. The time
// bounds how long the first of a group waits for the others.
const (
	maxGroup     = 4096
	maxGroupTime = 20 * time.Millisecond
)

// request is a change on its way to the writer.
type request struct {
	swaps []jobs.Swap     // the hot change, or …
	do    func(*tx) error // … any other
	err   error
	done  chan struct{} // one signal per use
}

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// change hands a request to the writer and waits for its commit.
func (s *Store) change(ctx context.Context, swaps []jobs.Swap, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.writerMu.RLock()
	select {
	case <-s.closing:
		s.writerMu.RUnlock()
		return jobs.ErrClosed
	default:
	}
	s.writers.Add(1)
	s.writerMu.RUnlock()
	defer s.writers.Done()

	r := requests.Get().(*request)
	r.swaps, r.do, r.err = swaps, do, nil
	select {
	case s.queue <- r:
	case <-ctx.Done():
		requests.Put(r)
		return ctx.Err()
	}
	<-r.done // once it is queued it is made: its arguments are the caller's until then
	err := r.err
	r.swaps, r.do, r.err = nil, nil, nil
	requests.Put(r)
	return err
}

// write is change for everything but swaps.
func (s *Store) write(ctx context.Context, do func(*tx) error) error { return s.change(ctx, nil, do) }

// writer owns the writing connection.
type writer struct {
	store       *Store
	conn        *sqlite.Conn
	checkpoints *sqlite.Conn
	tx          tx
	batch       []*request

	wake  chan struct{} // there is something to checkpoint
	help  atomic.Bool   // the log is long
	stop  chan struct{}
	ended sync.WaitGroup
}

// start runs the writer until the queue is closed.
func (w *writer) start() {
	w.tx = tx{store: w.store, conn: w.conn, view: w.store.view}
	w.tx.reset()
	w.wake, w.stop = make(chan struct{}, 1), make(chan struct{})
	w.ended.Add(1)
	go w.checkpointer()
	go w.run()
}

// run makes groups of changes until the queue is closed.
func (w *writer) run() {
	defer close(w.store.done)
	for r := range w.store.queue {
		w.group(r)
		w.afterGroup()
	}
	close(w.stop)
	w.ended.Wait()
	w.store.closeErr = w.close()
}

// group makes first and the changes that wait behind it in one transaction, publishes them, and answers.
func (w *writer) group(first *request) {
	w.batch = append(w.batch[:0], first)
	err := query(w.conn, "BEGIN IMMEDIATE", nil)
	if err == nil {
		w.make()
		if err = w.tx.flush(); err == nil {
			err = query(w.conn, "COMMIT", nil)
		}
	}
	if err != nil {
		w.store.log.Error("jobs: cannot commit", "changes", len(w.batch), "error", err)
		if !w.conn.AutocommitEnabled() {
			_ = query(w.conn, "ROLLBACK", nil)
		}
		w.tx.reset()
		for _, r := range w.batch {
			r.fail(err)
		}
	} else {
		w.tx.publish()
	}
	for i, r := range w.batch {
		w.batch[i] = nil
		r.done <- struct{}{}
	}
}

// make makes the changes of the batch, and takes further ones into it while there are any.
func (w *writer) make() {
	begun := time.Now()
	for i := 0; i < len(w.batch); i++ {
		r := w.batch[i]
		r.err = w.tx.make(r)
		if w.conn.AutocommitEnabled() { // the transaction is gone: the commit will say so
			return
		}
		if i+1 < len(w.batch) || len(w.batch) >= maxGroup || time.Since(begun) > maxGroupTime {
			continue
		}
		w.takeWaiting()
	}
}

// takeWaiting adds the changes that wait to the batch.
func (w *writer) takeWaiting() {
	for len(w.batch) < maxGroup {
		select {
		case r, ok := <-w.store.queue:
			if !ok {
				return
			}
			w.batch = append(w.batch, r)
		default:
			return
		}
	}
}

// fail takes back what a change was going to answer.
func (r *request) fail(err error) {
	r.err = err
	for i := range r.swaps {
		r.swaps[i].Applied = false
	}
}
