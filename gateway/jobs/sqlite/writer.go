package sqlite

import (
	"context"
	"fmt"
	"runtime"
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

// newRequest fills a store's pool. The pool is the store's own: its channels belong to where the store was opened, which
// in a test with a clock of its own is a bubble.
func newRequest() any { return &request{done: make(chan struct{}, 1)} }

// change hands a request to the writer by one of its queues, and waits for its commit.
func (s *Store) change(ctx context.Context, queue chan<- *request, swaps []jobs.Swap, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.writerMu.RLock()
	if s.shut.Load() {
		s.writerMu.RUnlock()
		return jobs.ErrClosed
	}
	s.writers.Add(1)
	s.writerMu.RUnlock()
	defer s.writers.Done()

	r := s.requests.Get().(*request)
	r.swaps, r.do, r.err = swaps, do, nil
	select {
	case queue <- r:
	case <-ctx.Done():
		s.requests.Put(r)
		return ctx.Err()
	}
	<-r.done // once it is queued it is made: its arguments are the caller's until then
	err := r.err
	r.swaps, r.do, r.err = nil, nil, nil
	s.requests.Put(r)
	return err
}

// write makes any change but a swap.
func (s *Store) write(ctx context.Context, do func(*tx) error) error {
	return s.change(ctx, s.queue, nil, do)
}

// writeSet makes a change of rows many rows long. If they are many it gets a group for itself, so that others wait for
// its end at most, and not with it for its commit.
func (s *Store) writeSet(ctx context.Context, rows int, do func(*tx) error) error {
	if rows <= smallSet {
		return s.write(ctx, do)
	}
	return s.change(ctx, s.sets, nil, do)
}

// smallSet is how many rows are few.
const smallSet = 64

// writer owns the writing connection.
type writer struct {
	store       *Store
	conn        *sqlite.Conn
	checkpoints *sqlite.Conn
	tx          tx
	batch       []*request
	breath      *breath

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

// run makes groups of changes until both queues are closed: of the quick ones together as long as there are any, and
// after each such group one large set.
func (w *writer) run() {
	defer close(w.store.done)
	quick, sets := w.store.queue, w.store.sets
	for quick != nil || sets != nil {
		select {
		case r, ok := <-quick:
			if !ok {
				quick = nil
				continue
			}
			letArrive(quick)
			w.group(r, quick)
			select {
			case r, ok := <-sets:
				if ok {
					w.set(r)
				}
			default:
			}
		case r, ok := <-sets:
			if !ok {
				sets = nil
				continue
			}
			w.set(r)
		}
		w.afterGroup()
	}
	close(w.stop)
	w.ended.Wait()
	w.store.closeErr = w.close()
}

// letArrive lets the devices that are reporting at this moment bring their changes, for as long as any do, so that they
// share a commit. On one processor it has to: whoever brings the first change hands the processor on to the writer at
// once, and while the writer waits for the disk, in a system call that the runtime takes some time to notice, nobody
// else runs; groups would be of one. A change that comes alone waits for nobody.
func letArrive(queue <-chan *request) {
	for n := -1; len(queue) > n && n < maxGroup; {
		n = len(queue)
		runtime.Gosched()
	}
}

// set makes a large change, in a transaction of its own.
func (w *writer) set(r *request) {
	w.tx.breath = w.breath
	w.group(r, nil)
	w.tx.breath = nil
}

// group makes first and the changes that wait in a queue (nil: no others) in one transaction, publishes them, and
// answers.
func (w *writer) group(first *request, queue <-chan *request) {
	w.batch = append(w.batch[:0], first)
	err := query(w.conn, "BEGIN IMMEDIATE", nil)
	if err == nil {
		if err = w.make(queue); err == nil {
			err = w.tx.flush()
		}
		if err == nil {
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

// make makes the changes of the batch, and takes further ones into it while there are any. Its error is that SQLite has
// taken back the transaction: nothing may be written as if it were still there.
func (w *writer) make(queue <-chan *request) error {
	begun := time.Now()
	for i := 0; i < len(w.batch); i++ {
		r := w.batch[i]
		r.err = w.tx.make(r)
		if w.conn.AutocommitEnabled() {
			return fmt.Errorf("the transaction was rolled back: %w", r.err)
		}
		if i+1 < len(w.batch) || len(w.batch) >= maxGroup || time.Since(begun) > maxGroupTime {
			continue
		}
		w.takeWaiting(queue)
	}
	return nil
}

// takeWaiting adds the changes that wait to the batch.
func (w *writer) takeWaiting(queue <-chan *request) {
	for len(w.batch) < maxGroup {
		select {
		case r, ok := <-queue:
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
