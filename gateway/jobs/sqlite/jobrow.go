package sqlite

import (
	"encoding/json"
	"fmt"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// jobRow is a job as the database keeps it.
type jobRow struct {
	seq      int64
	job      *jobs.Job
	serial   int64
	progress jobs.Progress

	atGroup, atThing int64 // where the rollout is: the last it took
	sweepThing       int64 // where the sweep is: the last it passed
}

// jobColumns are the columns that scanJob reads.
const jobColumns = `seq, record, serial, c0, c1, c2, c3, c4, c5, c6, c7, notified, chunks, started, done, swept, pace,
	target, at_group, at_thing, sweep_thing`

func scanJob(stmt *sqlite.Stmt) (*jobRow, error) {
	j, err := decodeJob(stmt.ColumnText(1))
	if err != nil {
		return nil, err
	}
	r := &jobRow{seq: stmt.ColumnInt64(0), job: j, serial: stmt.ColumnInt64(2)}
	for i := range r.progress.Counts {
		r.progress.Counts[i] = stmt.ColumnInt64(3 + i)
	}
	const after = 3 + jobs.Statuses
	r.progress.Notified = stmt.ColumnInt64(after)
	r.progress.Chunks = stmt.ColumnInt64(after + 1)
	r.progress.Started = stmt.ColumnBool(after + 2)
	r.progress.Done = stmt.ColumnBool(after + 3)
	r.progress.Swept = stmt.ColumnBool(after + 4)
	r.progress.Pace = instant(stmt.ColumnInt64(after + 5))
	r.progress.Target = stmt.ColumnInt(after + 6)
	r.atGroup, r.atThing, r.sweepThing = stmt.ColumnInt64(after+7), stmt.ColumnInt64(after+8), stmt.ColumnInt64(after+9)
	return r, nil
}

// decodeJob reads a job's record.
func decodeJob(record string) (*jobs.Job, error) {
	j := new(jobs.Job)
	if err := json.Unmarshal([]byte(record), j); err != nil {
		return nil, fmt.Errorf("record of a job: %w", err)
	}
	return j, nil
}

// findJob reads a job by its name.
func findJob(c *sqlite.Conn, id string) (*jobRow, error) {
	var r *jobRow
	err := query(c, "SELECT "+jobColumns+" FROM jobs WHERE id = ?", func(stmt *sqlite.Stmt) (err error) {
		r, err = scanJob(stmt)
		return err
	}, id)
	if err == nil && r == nil {
		err = noJob(id)
	}
	return r, err
}

func noJob(id string) error { return jobs.Errorf(jobs.ErrNotFound, "Job %s is not there.", id) }

func noThing(name string) error { return jobs.Errorf(jobs.ErrNotFound, "Thing %s is not there.", name) }

func noGroup(name string) error {
	return jobs.Errorf(jobs.ErrNotFound, "Thing group %s is not there.", name)
}

func noExecution(thing, job string) error {
	return jobs.Errorf(jobs.ErrNotFound, "Job %s is not there for thing %s.", job, thing)
}

// saveProgress writes how far the rollout and the sweep of r are, but not its counts.
func (r *jobRow) saveProgress(c *sqlite.Conn) error {
	p := &r.progress
	return numbers(c, `UPDATE jobs SET notified = ?, chunks = ?, started = ?, done = ?, swept = ?, pace = ?,
		target = ?, at_group = ?, at_thing = ?, sweep_thing = ? WHERE seq = ?`, nil,
		p.Notified, p.Chunks, flag(p.Started), flag(p.Done), flag(p.Swept), millis(p.Pace),
		int64(p.Target), r.atGroup, r.atThing, r.sweepThing, r.seq)
}

// stageProgress shows how far r is, after the counts, which have a way of their own: nobody may see that a rollout is done,
// and not yet what it has queued.
func (t *tx) stageProgress(r *jobRow) error {
	if err := t.flush(); err != nil {
		return err
	}
	seq, p := r.seq, r.progress
	t.after(func() {
		if e := t.view.jobs.bySeq[seq]; e != nil {
			e.mu.Lock()
			p.Counts = e.progress.Counts
			e.progress = p
			e.mu.Unlock()
		}
	})
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func status(stmt *sqlite.Stmt, i int) jobs.Status { return jobs.Status(stmt.ColumnInt64(i)) }

// details reads a column that is mostly empty.
func details(stmt *sqlite.Stmt, i int) jobs.StatusDetails {
	if stmt.ColumnLen(i) == 0 {
		return ""
	}
	return jobs.StatusDetails(stmt.ColumnText(i))
}
