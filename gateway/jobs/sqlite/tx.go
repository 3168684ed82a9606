package sqlite

import (
	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// tx is the transaction of a group: the database as the group's changes left it, and what is to be published once it is
// committed.
type tx struct {
	store *Store
	conn  *sqlite.Conn
	view  *view

	breath *breath // of a large change; else nil
	staged []staged
	deltas map[int64]*jobs.Counts // by jobs.seq: not in the database yet
	jobs   map[int64]*jobs.Job    // changed by this group
}

// staged is something to publish, in its turn.
type staged struct {
	what  stagedKind
	entry *entry // stagedPut, stagedDrop; nil: the view's entry of row.job
	row   row    // stagedPut; of stagedDrop, job and thing
	count *jobs.Counts
	do    func() // stagedDo
}

type stagedKind uint8

const (
	stagedPut   stagedKind = iota // an execution that has not ended
	stagedDrop                    // one that has
	stagedCount                   // count is to be added to the counts of row.job
	stagedDo                      // anything else
)

// keepStaged bounds the memory that is kept for the next group.
const keepStaged = 2 * maxGroup

// reset forgets everything.
func (t *tx) reset() {
	clear(t.staged)
	if t.staged = t.staged[:0]; cap(t.staged) > keepStaged {
		t.staged = nil
	}
	t.deltas, t.jobs = make(map[int64]*jobs.Counts), make(map[int64]*jobs.Job)
}

// make makes one change.
func (t *tx) make(r *request) error {
	if r.do == nil && len(r.swaps) == 1 && r.swaps[0].Next == nil { // Fast path: it is one statement
		return t.swap(&r.swaps[0])
	}
	if err := t.flush(); err != nil { // the change sees the counts, and if it fails its own are all there are
		return err
	}
	mark := len(t.staged)
	err := inSavepoint(t.conn, func() error {
		if r.do != nil {
			return r.do(t)
		}
		for i := range r.swaps {
			if err := t.swap(&r.swaps[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		clear(t.staged[mark:])
		t.staged = t.staged[:mark]
		clear(t.deltas)
		for i := range r.swaps {
			r.swaps[i].Applied = false
		}
	}
	return err
}

// put stages an execution that has not ended.
func (t *tx) put(r *row, e *entry) { t.stage(staged{what: stagedPut, entry: e, row: *r}) }

// drop stages the end of an execution.
func (t *tx) drop(thing, job int64, e *entry) {
	t.stage(staged{what: stagedDrop, entry: e, row: row{thing: thing, job: job}})
}

// after stages anything else.
func (t *tx) after(do func()) { t.stage(staged{what: stagedDo, do: do}) }

func (t *tx) stage(s staged) {
	t.staged = append(t.staged, s)
	if t.breath != nil {
		t.breath.row()
	}
}

// count adds n executions of a status to a job's counts.
func (t *tx) count(job int64, s jobs.Status, n int64) {
	c := t.deltas[job]
	if c == nil {
		c = new(jobs.Counts)
		t.deltas[job] = c
	}
	c[s] += n
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
		t.staged = append(t.staged, staged{what: stagedCount, row: row{job: job}, count: c})
	}
	clear(t.deltas)
	return nil
}

// publish shows what was committed, in the order in which it was done.
func (t *tx) publish() {
	v := t.view
	for i := range t.staged {
		s := &t.staged[i]
		switch s.what {
		case stagedPut:
			if e := t.entryOf(s); e != nil {
				v.put(&s.row, e)
			}
		case stagedDrop:
			if e := t.entryOf(s); e != nil {
				v.drop(s.row.thing, e)
			}
		case stagedCount:
			v.jobs.count(s.row.job, s.count)
		case stagedDo:
			s.do()
		}
	}
	for i := range t.staged {
		if s := &t.staged[i]; s.what == stagedCount {
			v.jobs.retire(s.row.job)
		}
	}
	for job := range t.jobs {
		v.jobs.retire(job)
	}
	t.reset()
}

func (t *tx) entryOf(s *staged) *entry {
	if s.entry != nil {
		return s.entry
	}
	return t.view.jobs.bySeq[s.row.job]
}
