package sqlite

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

// Bounds of a group: how many changes it has, and for how long more may join, whichever comes first. The time bounds how
// long the first change of a group waits for the others.
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
	failed      int       // changes of failed groups that are not in the log yet
	complained  time.Time // time of the last line

	wake  chan struct{} // there is something to checkpoint
	help  atomic.Bool   // the log is long
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

// run commits groups of changes until both queues are closed: quick ones together as long as there are any, and after each
// such group one large set. A waiting quick change precedes a large one, so that a device waits for the end of one set at
// most.
func (w *writer) run() {
	defer close(w.store.done)
	quick, sets := w.store.queue, w.store.sets
	for quick != nil || sets != nil {
		r, large, ok := next(quick, sets)
		switch {
		case !ok && large:
			sets = nil
		case !ok:
			quick = nil
		case large:
			w.large(r)
		default:
			letArrive(quick)
			w.group(r, quick)
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

// next waits for a request, a quick one first. If it is not ok, that queue is closed and empty.
func next(quick, sets <-chan *request) (r *request, large, ok bool) {
	select {
	case r, ok = <-quick:
		return r, false, ok
	default:
	}
	select {
	case r, ok = <-quick:
		return r, false, ok
	case r, ok = <-sets:
		return r, true, ok
	}
}

// letArrive waits while devices that are reporting at this moment add their changes, so that they share a commit. On one
// processor it has to: the first change wakes the writer, which gets the processor at once, and while it waits for the disk,
// in a system call that the runtime notices late, nobody else runs; each group would have one change. A single change does
// not wait.
func letArrive(queue <-chan *request) {
	for n := -1; len(queue) > n && n < maxGroup; {
		n = len(queue)
		runtime.Gosched()
	}
}

// large makes a large change, in a transaction of its own.
func (w *writer) large(r *request) {
	w.tx.large = true
	w.group(r, nil)
	w.tx.large = false
}

// group makes first and the changes waiting in a queue (nil: no others) in one transaction, publishes them, and answers.
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
		w.complain(err)
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

// complainEvery is the least time between two log lines about failed groups: a full disk fails them all.
const complainEvery = 10 * time.Second

// complain logs that the group failed, or counts it for the next line.
func (w *writer) complain(err error) {
	w.failed += len(w.batch)
	if now := time.Now(); now.Sub(w.complained) >= complainEvery {
		w.store.log.Error("jobs: cannot commit", "changes", w.failed, "error", err)
		w.complained, w.failed = now, 0
	}
}

// execute makes the changes of the batch, and adds waiting ones to it. It returns an error if SQLite has rolled back the
// transaction: nothing more may be written in it.
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
