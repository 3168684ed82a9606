package sqlite

import (
	"runtime"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/sqlite/view"
)

// tx is the transaction of a group. It reads the group's own changes, and stages what is published after the commit.
type tx struct {
	reader
	view *view.View

	large  bool // the change is large and yields, see yieldEvery
	rows   int  // changes since the last yield
	staged []staged
	deltas map[int64]*engine.Counts // by jobs.seq: changes of counts that are not in the database yet
	jobs   map[int64]*engine.Job    // changed by this group
}

var _ engine.Tx = (*tx)(nil)

// reader reads from a connection. Between BEGIN and COMMIT it reads one state.
type reader struct {
	conn *sqlite.Conn
}

var _ engine.Reader = reader{}

// staged is one step of publishing a transaction. Steps are published in order.
type staged struct {
	what  stagedKind
	row   engine.Execution // stagedPut; of stagedDrop, job and thing
	count *engine.Counts
	do    func() // stagedDo
}

type stagedKind uint8

const (
	stagedPut   stagedKind = iota // an execution that has not ended
	stagedDrop                    // an execution that has ended
	stagedCount                   // add count to the counts of row.job
	stagedDo                      // anything else
)

// yieldEvery is the number of rows after which a large change yields. On one processor, it would otherwise run until it ends,
// or for 10 ms. BenchmarkYield measures how long connections wait.
const yieldEvery = 64

// keepStaged is the largest capacity of staged that is kept for the next group.
const keepStaged = 2 * maxGroup

// reset empties the transaction for the next group.
func (t *tx) reset() {
	clear(t.staged)
	if t.staged = t.staged[:0]; cap(t.staged) > keepStaged {
		t.staged = nil
	}
	t.deltas, t.jobs = make(map[int64]*engine.Counts), make(map[int64]*engine.Job)
}

// run executes one change.
func (t *tx) run(r *request) error {
	if r.do == nil && len(r.changes) == 1 && r.changes[0].Past == nil { // Fast path: one statement
		return t.apply(&r.changes[0])
	}
	if err := t.flush(); err != nil { // so the change sees the counts, and t.deltas has only its own if it fails
		return err
	}
	mark := len(t.staged)
	err := inSavepoint(t.conn, func() error {
		if r.do != nil {
			return r.do(t)
		}
		return t.Apply(r.changes)
	})
	if err != nil {
		clear(t.staged[mark:])
		t.staged = t.staged[:mark]
		clear(t.deltas)
		for i := range r.changes {
			r.changes[i].Applied = false
		}
	}
	return err
}

// put stages an execution that has not ended.
func (t *tx) put(x *engine.Execution) { t.stage(staged{what: stagedPut, row: *x}) }

// drop stages the end of an execution.
func (t *tx) drop(thing, job int64) {
	t.stage(staged{what: stagedDrop, row: engine.Execution{Thing: thing, Job: job}})
}

// after stages a function.
func (t *tx) after(do func()) { t.stage(staged{what: stagedDo, do: do}) }

func (t *tx) stage(s staged) {
	t.staged = append(t.staged, s)
	if t.rows++; t.large && t.rows >= yieldEvery {
		t.rows = 0
		runtime.Gosched()
	}
}

// count adds n executions of a status to a job's counts.
func (t *tx) count(job int64, status uint8, n int64) {
	c := t.deltas[job]
	if c == nil {
		c = new(engine.Counts)
		t.deltas[job] = c
	}
	c[status] += n
}

// flush writes the counts to the jobs.
func (t *tx) flush() error {
	for job, c := range t.deltas {
		err := numbers(t.conn, `UPDATE jobs SET c0 = c0 + ?, c1 = c1 + ?, c2 = c2 + ?, c3 = c3 + ?,
			c4 = c4 + ?, c5 = c5 + ?, c6 = c6 + ?, c7 = c7 + ? WHERE seq = ?`, nil,
			c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], job)
		if err != nil {
			return err
		}
		t.staged = append(t.staged, staged{what: stagedCount, row: engine.Execution{Job: job}, count: c})
	}
	clear(t.deltas)
	return nil
}

// publish publishes what was committed, in order.
func (t *tx) publish() {
	v := t.view
	for i := range t.staged {
		s := &t.staged[i]
		switch s.what {
		case stagedPut:
			v.Put(&s.row)
		case stagedDrop:
			v.Drop(s.row.Thing, s.row.Job)
		case stagedCount:
			v.Jobs.Count(s.row.Job, s.count)
		case stagedDo:
			s.do()
		}
	}
	for i := range t.staged {
		if s := &t.staged[i]; s.what == stagedCount {
			v.Jobs.Retire(s.row.Job)
		}
	}
	for job := range t.jobs {
		v.Jobs.Retire(job)
	}
	t.reset()
}
