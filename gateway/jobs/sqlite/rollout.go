package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// enqueue queues a job for a thing. One that has an execution already gets another only if that one was REMOVED, or has
// ended and the thing joins again. It returns nil if it queued none.
func (t *tx) enqueue(j *jobRow, thing int64, name string, now time.Time, joins bool) (*jobs.Execution, error) {
	e := jobs.Execution{Thing: name, Job: j.job, Number: 1, Version: 1, QueuedAt: now, UpdatedAt: now}
	r := rowOf(&e, j.seq, thing)
	err := insertRow(t.conn, "INSERT INTO executions ("+executionColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT DO NOTHING`, &r)
	if err != nil {
		return nil, err
	}
	if t.conn.Changes() == 0 {
		past, _, err := findRow(t.conn, j.seq, thing, 0)
		if err != nil || !past.status.Terminal() || (!joins && past.status != jobs.Removed) {
			return nil, err
		}
		before := past.execution(name, j.job)
		e = before.Renew(now)
		if r, err = t.supersede(&past, &e); err != nil {
			return nil, err
		}
		t.count(j.seq, past.status, -1)
	}
	t.count(j.seq, jobs.Queued, 1)
	t.put(&r, nil)
	return &e, nil
}

// QueueChunk implements jobs.JobStore.
func (s *Store) QueueChunk(ctx context.Context, c jobs.QueueChunk) (result jobs.QueueResult, err error) {
	err = s.writeSet(ctx, c.Limit, func(t *tx) error {
		result = jobs.QueueResult{}
		return t.queueChunk(&c, &result)
	})
	return result, err
}

func (t *tx) queueChunk(c *jobs.QueueChunk, result *jobs.QueueResult) error {
	j, err := findJob(t.conn, c.JobID)
	if err != nil {
		return err
	}
	switch {
	case j.progress.Chunks != c.After:
		return jobs.Errorf(jobs.ErrVersionConflict, "Job %s has had chunk %d, expected was %d.", c.JobID, j.progress.Chunks, c.After)
	case j.job.Status != jobs.JobInProgress || !j.job.Queues():
		return jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s is %s and queues nothing.", c.JobID, j.job.Status)
	}
	r := &rollout{t: t, j: j, c: c, result: result, scan: max(scanFactor*c.Limit, minScan)}
	if err := r.run(); err != nil {
		return err
	}
	p := &j.progress
	p.Started, p.Pace = true, c.Pace.Add(time.Duration(result.Queued)*c.Each)
	p.Chunks++
	p.Notified += int64(result.Queued)
	if err := j.saveProgress(t.conn); err != nil {
		return err
	}
	if d := t.deltas[j.seq]; d != nil {
		for i, n := range d {
			p.Counts[i] += n
		}
	}
	result.Progress = *p
	return t.stageProgress(j)
}

// scanFactor bounds how many things a chunk looks at, next to how many it may queue: things that have the job already
// cost little, but not nothing.
const (
	scanFactor = 4
	minScan    = 256
)

// rollout is a chunk of a job's rollout under way. It walks along the targets; of a group, along the groups of its
// family by id, and along the members of each by id. j.progress.Target, j.atGroup and j.atThing are where it is.
type rollout struct {
	t      *tx
	j      *jobRow
	c      *jobs.QueueChunk
	result *jobs.QueueResult
	scan   int // things that it may still look at
}

// target is one of a job's targets.
type target struct {
	group bool
	ref   int64
}

// full says that it may queue no more. It still passes by what is not to be queued, to see whether it is done.
func (r *rollout) full() bool { return r.result.Queued >= r.c.Limit }

// run goes on from where the last chunk ended.
func (r *rollout) run() error {
	p := &r.j.progress
	for r.scan > 0 {
		goal, ok, err := r.target(p.Target)
		if err != nil {
			return err
		}
		if !ok {
			p.Done = true
			return nil
		}
		passed := false
		if goal.group {
			passed, err = r.family(goal.ref)
		} else {
			passed, err = r.thing(goal.ref)
		}
		if err != nil {
			return err
		}
		if passed {
			p.Target++
			r.j.atGroup, r.j.atThing = 0, 0
		} else if r.full() {
			return nil
		}
	}
	_, more, err := r.target(p.Target)
	p.Done = err == nil && !more
	return err
}

func (r *rollout) target(position int) (goal target, ok bool, err error) {
	err = numbers(r.t.conn, "SELECT is_group, ref FROM targets WHERE job = ? AND position = ?", func(stmt *sqlite.Stmt) error {
		goal, ok = target{stmt.ColumnBool(0), stmt.ColumnInt64(1)}, true
		return nil
	}, r.j.seq, int64(position))
	return goal, ok, err
}

// family walks along a group and its descendants; passed says that it reached the end.
func (r *rollout) family(root int64) (passed bool, err error) {
	if r.j.atGroup == 0 {
		r.j.atGroup = root // descendants are younger: their ids are higher
	}
	for {
		if more, err := r.members(); err != nil || more {
			return false, err
		}
		next := int64(0)
		err := numbers(r.t.conn, family+" SELECT min(id) FROM down WHERE id > ?2", func(stmt *sqlite.Stmt) error {
			next = stmt.ColumnInt64(0)
			return nil
		}, root, r.j.atGroup)
		if err != nil || next == 0 {
			return err == nil, err
		}
		if r.j.atGroup, r.j.atThing = next, 0; r.scan <= 0 {
			return false, nil
		}
	}
}

// members queues the next members of the group it is at; more says that there are further ones. A deleted group has none,
// though its memberships may not have ended yet.
func (r *rollout) members() (more bool, err error) {
	r.scan--
	there, _, err := value(r.t.conn, "SELECT count(*) FROM groups WHERE id = ? AND deleted = 0", r.j.atGroup)
	if err != nil || there == 0 {
		return false, err
	}
	limit := max(0, min(r.c.Limit-r.result.Queued, r.scan))
	serial := int64(1<<63 - 1)
	if r.j.job.Selection == jobs.Snapshot {
		serial = r.j.serial
	}
	ids := make([]int64, 0, limit+1)
	err = numbers(r.t.conn, "SELECT thing FROM members WHERE grp = ? AND thing > ? AND serial <= ? ORDER BY thing LIMIT ?",
		func(stmt *sqlite.Stmt) error {
			ids = append(ids, stmt.ColumnInt64(0))
			return nil
		}, r.j.atGroup, r.j.atThing, serial, int64(limit)+1)
	if err != nil {
		return false, err
	}
	if more = len(ids) > limit; more {
		ids = ids[:limit]
	}
	for _, id := range ids {
		if err := r.one(id); err != nil {
			return false, err
		}
		r.j.atThing = id
	}
	return more, nil
}

// thing queues a target that is a thing, if it is still there; passed says that it did, or had nothing to do.
func (r *rollout) thing(id int64) (passed bool, err error) {
	n, _, err := value(r.t.conn, "SELECT count(*) FROM things WHERE id = ? AND deleted = 0", id)
	if err != nil || n == 0 {
		return err == nil, err
	}
	if r.full() {
		e, found, err := findRow(r.t.conn, r.j.seq, id, 0)
		return found && e.status != jobs.Removed, err
	}
	return true, r.one(id)
}

func (r *rollout) one(id int64) error {
	r.scan--
	e, err := r.t.enqueue(r.j, id, "", r.c.Now, false)
	if err != nil || e == nil {
		return err
	}
	r.result.Queued++
	if r.c.Names {
		r.result.Things = append(r.result.Things, r.t.view.nameOf(id))
	}
	return nil
}
