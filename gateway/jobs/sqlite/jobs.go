package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// jobColumns are the columns that scanJob reads.
const jobColumns = `seq, record, serial, c0, c1, c2, c3, c4, c5, c6, c7, notified, chunks, started, done, swept, pace,
	target, at_group, at_thing, sweep_thing, id, version, status, selection, sweep, namespace, active, created, ended`

func scanJob(stmt *sqlite.Stmt) engine.State {
	s := engine.State{Job: &engine.Job{
		Seq: stmt.ColumnInt64(0), Record: stmt.ColumnText(1), Serial: stmt.ColumnInt64(2),
		ID: stmt.ColumnText(21), Version: stmt.ColumnInt64(22), Status: uint8(stmt.ColumnInt64(23)),
		Selection: uint8(stmt.ColumnInt64(24)), Sweep: uint8(stmt.ColumnInt64(25)), Namespace: stmt.ColumnText(26),
		Active: stmt.ColumnBool(27), Created: stmt.ColumnInt64(28), Ended: stmt.ColumnInt64(29),
	}}
	p := &s.Progress
	for i := range p.Counts {
		p.Counts[i] = stmt.ColumnInt64(3 + i)
	}
	p.Notified, p.Chunks = stmt.ColumnInt64(11), stmt.ColumnInt64(12)
	p.Started, p.Done, p.Swept = stmt.ColumnBool(13), stmt.ColumnBool(14), stmt.ColumnBool(15)
	p.Pace, p.Target = stmt.ColumnInt64(16), stmt.ColumnInt(17)
	p.AtGroup, p.AtThing, p.SweepThing = stmt.ColumnInt64(18), stmt.ColumnInt64(19), stmt.ColumnInt64(20)
	return s
}

// Job implements engine.Engine. It answers from memory if the job is in the view.
func (s *Store) Job(ctx context.Context, id string) (state engine.State, err error) {
	if state, ok := s.view.Jobs.Get(id); ok && !s.shut.Load() {
		return state, nil
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		state, err = reader{c}.findJob(id)
		return err
	})
	return state, err
}

func (r reader) findJob(id string) (s engine.State, err error) {
	found := false
	err = query(r.conn, "SELECT "+jobColumns+" FROM jobs WHERE id = ?", func(stmt *sqlite.Stmt) error {
		s, found = scanJob(stmt), true
		return nil
	}, id)
	if err == nil && !found {
		err = engine.ErrNotFound
	}
	return s, err
}

// Job implements engine.JobReader.
func (r reader) Job(id string) (engine.State, error) {
	s, err := r.findJob(id)
	if err == nil {
		s.Targets, err = r.targets(s.Job.Seq)
	}
	return s, err
}

func (r reader) targets(job int64) (list []engine.Target, err error) {
	err = numbers(r.conn, "SELECT is_group, ref FROM targets WHERE job = ? ORDER BY position", func(stmt *sqlite.Stmt) error {
		list = append(list, engine.Target{Group: stmt.ColumnBool(0), ID: stmt.ColumnInt64(1)})
		return nil
	}, job)
	return list, err
}

// ListJobs implements engine.JobReader.
func (r reader) ListJobs(q engine.JobQuery, before int64, limit int) (list []engine.State, err error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	active := ""
	if q.Active { // as a literal, so that the index is used
		active = " AND active = 1"
	}
	err = query(r.conn, "SELECT "+jobColumns+` FROM jobs j WHERE seq < ?1 AND (?2 = 0 OR status = ?2) AND (?3 = 0 OR selection = ?3)
			AND (?4 = '' OR namespace = ?4) AND (?7 = 0 OR (ended <> 0 AND ended < ?7))
			AND ((?5 = '' AND ?6 = '') OR EXISTS (SELECT 1 FROM targets t JOIN groups g ON g.id = t.ref
				WHERE t.job = j.seq AND +t.is_group = 1 AND (?5 = '' OR g.name = ?5) AND (?6 = '' OR g.uuid = ?6)))`+active+`
		ORDER BY seq DESC LIMIT ?8`,
		func(stmt *sqlite.Stmt) error {
			list = append(list, scanJob(stmt))
			return nil
		}, before, int64(q.Status), int64(q.Selection), q.Namespace, q.GroupName, q.GroupUUID, q.EndedBefore, limit)
	return list, err
}

// Targeting implements engine.JobReader.
func (r reader) Targeting(q engine.TargetQuery) (list []engine.State, err error) {
	known := make(map[int64]bool)
	for _, group := range q.Groups {
		err := numbers(r.conn, "SELECT "+jobColumns+` FROM jobs WHERE (?2 = 0 OR selection = ?2) AND (?3 = 0 OR (?3 >> status) & 1)
			AND seq IN (SELECT job FROM targets WHERE is_group = 1 AND ref = ?1)`, func(stmt *sqlite.Stmt) error {
			if s := scanJob(stmt); !known[s.Job.Seq] {
				known[s.Job.Seq] = true
				list = append(list, s)
			}
			return nil
		}, group, int64(q.Selection), int64(q.Statuses))
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b engine.State) int { return cmp.Compare(a.Job.Seq, b.Job.Seq) })
	for i := range list {
		if list[i].Targets, err = r.targets(list[i].Job.Seq); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Totals implements engine.Engine.
func (s *Store) Totals(context.Context) (engine.Counts, error) {
	if s.shut.Load() {
		return engine.Counts{}, engine.ErrClosed
	}
	return s.view.Jobs.Totals(), nil
}

// Job, ListJobs and Targeting include the transaction's own changes of counts.

func (t *tx) Job(id string) (engine.State, error) {
	if err := t.flush(); err != nil {
		return engine.State{}, err
	}
	return t.reader.Job(id)
}

func (t *tx) ListJobs(q engine.JobQuery, before int64, limit int) ([]engine.State, error) {
	if err := t.flush(); err != nil {
		return nil, err
	}
	return t.reader.ListJobs(q, before, limit)
}

func (t *tx) Targeting(q engine.TargetQuery) ([]engine.State, error) {
	if err := t.flush(); err != nil {
		return nil, err
	}
	return t.reader.Targeting(q)
}

// InsertJob implements engine.Tx.
func (t *tx) InsertJob(j *engine.Job, targets []engine.Target) error {
	var err error
	if j.Serial, _, err = value(t.conn, "SELECT value FROM meta WHERE name = 'serial'"); err != nil {
		return err
	}
	seq, found, err := value(t.conn, `INSERT INTO jobs (id, version, status, selection, sweep, namespace, record, serial, active, created, ended)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq`,
		j.ID, j.Version, int64(j.Status), int64(j.Selection), int64(j.Sweep), j.Namespace, j.Record, j.Serial,
		flag(j.Active), j.Created, j.Ended)
	if err != nil {
		return err
	}
	if !found {
		return engine.ErrExists
	}
	j.Seq = seq
	t.after(func() { t.view.Jobs.Add(j, engine.Progress{}) })
	return t.addTargets(seq, targets)
}

// addTargets appends targets to the existing ones.
func (t *tx) addTargets(job int64, targets []engine.Target) error {
	for _, goal := range targets {
		err := numbers(t.conn, `INSERT INTO targets (job, position, is_group, ref)
			SELECT ?1, coalesce(max(position) + 1, 0), ?2, ?3 FROM targets WHERE job = ?1`, nil, job, flag(goal.Group), goal.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// PutJob implements engine.Tx.
func (t *tx) PutJob(j *engine.Job, add []engine.Target) error {
	err := query(t.conn, `UPDATE jobs SET version = ?, status = ?, selection = ?, sweep = ?, namespace = ?, record = ?,
		active = ?, created = ?, ended = ? WHERE seq = ?`, nil,
		j.Version, int64(j.Status), int64(j.Selection), int64(j.Sweep), j.Namespace, j.Record,
		flag(j.Active), j.Created, j.Ended, j.Seq)
	if err != nil {
		return err
	}
	if err := t.addTargets(j.Seq, add); err != nil {
		return err
	}
	t.jobs[j.Seq] = j
	s, err := t.jobBySeq(j.Seq)
	if err != nil {
		return err
	}
	if err := t.flush(); err != nil { // publish the new state after the changes of executions that belong to it
		return err
	}
	t.after(func() { t.view.Jobs.Set(j, s.Progress) })
	return nil
}

func (t *tx) jobBySeq(seq int64) (s engine.State, err error) {
	err = numbers(t.conn, "SELECT "+jobColumns+" FROM jobs WHERE seq = ?", func(stmt *sqlite.Stmt) error {
		s = scanJob(stmt)
		return nil
	}, seq)
	if err == nil && s.Job == nil {
		err = fmt.Errorf("job %d: %w", seq, engine.ErrNotFound)
	}
	return s, err
}

// PutProgress implements engine.Tx. The progress is published after the counts, so that a reader never sees a finished rollout
// without the executions that it has queued.
func (t *tx) PutProgress(job int64, p *engine.Progress) error {
	err := numbers(t.conn, `UPDATE jobs SET notified = ?, chunks = ?, started = ?, done = ?, swept = ?, pace = ?,
		target = ?, at_group = ?, at_thing = ?, sweep_thing = ? WHERE seq = ?`, nil,
		p.Notified, p.Chunks, flag(p.Started), flag(p.Done), flag(p.Swept), p.Pace,
		int64(p.Target), p.AtGroup, p.AtThing, p.SweepThing, job)
	if err != nil {
		return err
	}
	if err := t.flush(); err != nil {
		return err
	}
	shown := *p
	t.after(func() { t.view.Jobs.SetProgress(job, shown) })
	return nil
}

// DeleteJob implements engine.Tx.
func (t *tx) DeleteJob(job int64) error {
	for _, text := range []string{"DELETE FROM targets WHERE job = ?", "DELETE FROM reasons WHERE job = ?", "DELETE FROM jobs WHERE seq = ?"} {
		if err := numbers(t.conn, text, nil, job); err != nil {
			return err
		}
	}
	t.after(func() { t.view.Jobs.Remove(job) })
	return nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
