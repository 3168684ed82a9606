package sqlite

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

// Bounds of a group: its number of changes, and how long further changes may join. The time bounds how long the first
// change of a group waits for the others.
const (
	maxGroup     = 4096
	maxGroupTime = 20 * time.Millisecond
)

// writer owns the writing connection.
type writer struct {
	store       *Store
	conn        *sqlite.Conn
	checkpoints *sqlite.Conn
	tx          tx
	batch       []*request
	failed      int       // changes of failed groups that are not logged yet
	loggedAt    time.Time // time of the last log line about failed groups

	wake  chan struct{} // wakes the checkpointer after a group
	help  atomic.Bool   // the write-ahead log is long: the writer checkpoints too
	stop  chan struct{}
	ended sync.WaitGroup
}

// start runs the writer until the queue is closed.
func (w *writer) start() {
	w.tx = tx{reader: reader{w.conn}, view: w.store.view}
	w.tx.reset()
	w.wake, w.stop = make(chan struct{}, 1), make(chan struct{})
	w.ended.Add(1)
	go w.checkpointer()
	go w.run()
}

// run commits groups of small changes until both queues are closed, and one large set after each group. A waiting small
// change precedes a large set, so a device waits for at most one set.
func (w *writer) run() {
	defer close(w.store.done)
	small, sets := w.store.queue, w.store.sets
	for small != nil || sets != nil {
		r, large, ok := next(small, sets)
		switch {
		case !ok && large:
			sets = nil
		case !ok:
			small = nil
		case large:
			w.large(r)
		default:
			letArrive(small)
			w.group(r, small)
			select {
			case r, ok = <-sets:
				if ok {
					w.large(r)
				}
			default:
			}
		}
		w.afterGroup()
	}
	close(w.stop)
	w.ended.Wait()
	w.store.closeErr = w.close()
}

// next waits for a request, and prefers a small one. If ok is false, the queue that large indicates is closed and empty.
func next(small, sets <-chan *request) (r *request, large, ok bool) {
	select {
	case r, ok = <-small:
		return r, false, ok
	default:
	}
	select {
	case r, ok = <-small:
		return r, false, ok
	case r, ok = <-sets:
		return r, true, ok
	}
}

// letArrive yields while concurrent reports of devices are being queued, so that they share a commit. This matters on one
// processor: the first change wakes the writer, which runs at once. While the writer waits for the disk, in a system call
// that the runtime notices late, no other goroutine runs, so each group would have one change. A single change does not wait.
func letArrive(queue <-chan *request) {
	for n := -1; len(queue) > n && n < maxGroup; {
		n = len(queue)
		runtime.Gosched()
	}
}

// large executes a large change in its own transaction.
func (w *writer) large(r *request) {
	w.tx.large = true
	w.group(r, nil)
	w.tx.large = false
}

// group executes first and the changes waiting in a queue (nil: no others) in one transaction, publishes and answers them.
func (w *writer) group(first *request, queue <-chan *request) {
	w.batch = append(w.batch[:0], first)
	err := query(w.conn, "BEGIN IMMEDIATE", nil)
	if err == nil {
		if err = w.execute(queue); err == nil {
			err = w.tx.flush()
		}
		if err == nil {
			err = query(w.conn, "COMMIT", nil)
		}
	}
	if err != nil {
		w.logFailure(err)
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

// logFailureEvery is the least time between two log lines about failed groups: on a full disk every group fails.
const logFailureEvery = 10 * time.Second

// logFailure logs that the group failed, or counts its changes for the next line.
func (w *writer) logFailure(err error) {
	w.failed += len(w.batch)
	if now := time.Now(); now.Sub(w.loggedAt) >= logFailureEvery {
		w.store.log.Error("jobs: cannot commit", "changes", w.failed, "error", err)
		w.loggedAt, w.failed = now, 0
	}
}

// execute executes the changes of the batch, and adds waiting ones to it. It returns an error if SQLite has rolled back the
// transaction, because later statements would run outside it.
func (w *writer) execute(queue <-chan *request) error {
	begun := time.Now()
	for i := 0; i < len(w.batch); i++ {
		r := w.batch[i]
		r.err = w.tx.run(r)
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

// takeWaiting adds the waiting changes to the batch.
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
