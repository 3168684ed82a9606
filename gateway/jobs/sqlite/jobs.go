package sqlite

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// CreateJob implements jobs.JobStore.
func (s *Store) CreateJob(ctx context.Context, n jobs.NewJob) (*jobs.Job, error) {
	j := n.Job
	err := s.write(ctx, func(t *tx) error { return t.createJob(&j, &n) })
	if err != nil {
		return nil, err
	}
	return &j, nil
}

func (t *tx) createJob(j *jobs.Job, n *jobs.NewJob) error {
	record, err := json.Marshal(j)
	if err != nil {
		return err
	}
	serial, _, err := value(t.conn, "SELECT value FROM meta WHERE name = 'serial'")
	if err != nil {
		return err
	}
	seq, _, err := value(t.conn, `INSERT INTO jobs (id, version, status, selection, sweep, namespace, record, serial)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq`,
		j.ID, j.Version, int64(j.Status), int64(j.Selection), int64(j.Sweep), j.NamespaceID, string(record), serial)
	if err != nil {
		return err
	}
	if t.conn.Changes() == 0 {
		return jobs.Errorf(jobs.ErrAlreadyExists, "Job %s already exists.", j.ID)
	}
	if err := query(t.conn, "INSERT INTO documents (job, document) VALUES (?, ?)", nil, seq, n.Document); err != nil {
		return err
	}
	if err := t.addTargets(seq, 0, j.Targets); err != nil {
		return err
	}
	t.after(func() { t.view.jobs.add(seq, j, jobs.Progress{}) })
	return t.setTags(jobs.Resource{Kind: jobs.KindJob, Name: j.ID}, n.Tags)
}

// addTargets adds targets from a position on.
func (t *tx) addTargets(seq int64, position int, targets []jobs.Target) error {
	for i, goal := range targets {
		var ref int64
		var err error
		if goal.Group {
			ref, _, err = group(t.conn, goal.Name)
		} else {
			ref, _, err = t.thing(goal.Name)
		}
		if err != nil {
			return err
		}
		err = numbers(t.conn, "INSERT INTO targets (job, position, is_group, ref) VALUES (?, ?, ?, ?)", nil,
			seq, int64(position+i), flag(goal.Group), ref)
		if err != nil {
			return err
		}
	}
	return nil
}

// Job implements jobs.JobStore. One that is active is answered from memory.
func (s *Store) Job(ctx context.Context, id string) (*jobs.Job, error) {
	if e := s.view.jobs.get(id); e != nil && !s.shut.Load() {
		return e.job.Load(), nil
	}
	r, err := s.readJob(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.job, nil
}

func (s *Store) readJob(ctx context.Context, id string) (r *jobRow, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		r, err = findJob(c, id)
		return err
	})
	return r, err
}

// Progress implements jobs.JobStore. That of an active job is answered from memory.
func (s *Store) Progress(ctx context.Context, id string) (jobs.Progress, error) {
	if e := s.view.jobs.get(id); e != nil && !s.shut.Load() {
		return e.getProgress(), nil
	}
	r, err := s.readJob(ctx, id)
	if err != nil {
		return jobs.Progress{}, err
	}
	return r.progress, nil
}

// JobDocument implements jobs.JobStore.
func (s *Store) JobDocument(ctx context.Context, id string) (document string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found := false
		err := query(c, "SELECT d.document FROM jobs j JOIN documents d ON d.job = j.seq WHERE j.id = ?", func(stmt *sqlite.Stmt) error {
			document, found = stmt.ColumnText(0), true
			return nil
		}, id)
		if err == nil && !found {
			err = noJob(id)
		}
		return err
	})
	return document, err
}

// Jobs implements jobs.JobStore.
func (s *Store) Jobs(ctx context.Context, q jobs.JobQuery, p jobs.Page) (list []*jobs.Job, next string, err error) {
	before, err := strconv.ParseInt(p.After, 10, 64)
	if err != nil {
		before = 1<<63 - 1
	}
	last := int64(0)
	err = s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT "+jobColumns+` FROM jobs j WHERE seq < ?1 AND (?2 = 0 OR status = ?2) AND (?3 = 0 OR selection = ?3)
				AND (?4 = '' OR namespace = ?4)
				AND ((?5 = '' AND ?6 = '') OR EXISTS (SELECT 1 FROM targets t JOIN groups g ON g.id = t.ref
					WHERE t.job = j.seq AND +t.is_group = 1 AND (?5 = '' OR g.name = ?5) AND (?6 = '' OR g.uuid = ?6)))
			ORDER BY seq DESC LIMIT ?7`,
			func(stmt *sqlite.Stmt) error {
				if len(list) == p.Limit {
					next = strconv.FormatInt(last, 10)
					return nil
				}
				r, err := scanJob(stmt)
				if err != nil {
					return err
				}
				last = r.seq
				list = append(list, r.job)
				return nil
			}, before, int64(q.Status), int64(q.Selection), q.NamespaceID, q.GroupName, q.GroupID, p.Limit+1)
	})
	return list, next, err
}

// ActiveJobs implements jobs.JobStore.
func (s *Store) ActiveJobs(context.Context) ([]*jobs.Job, error) {
	if s.shut.Load() {
		return nil, jobs.ErrClosed
	}
	return s.view.jobs.active(), nil
}

// Totals implements jobs.JobStore.
func (s *Store) Totals(context.Context) (jobs.Counts, error) {
	if s.shut.Load() {
		return jobs.Counts{}, jobs.ErrClosed
	}
	return s.view.jobs.getTotals(), nil
}

// SwapJob implements jobs.JobStore.
func (s *Store) SwapJob(ctx context.Context, next jobs.Job) (*jobs.Job, error) {
	if err := s.write(ctx, func(t *tx) error { return t.swapJob(&next) }); err != nil {
		return nil, err
	}
	return &next, nil
}

func (t *tx) swapJob(next *jobs.Job) error {
	r, err := findJob(t.conn, next.ID)
	if err != nil {
		return err
	}
	if r.job.Version != next.Version-1 || !r.job.CreatedAt.Equal(next.CreatedAt) {
		return jobs.Errorf(jobs.ErrVersionConflict, "Job %s has version %d, expected was %d.", next.ID, r.job.Version, next.Version-1)
	}
	known := len(r.job.Targets)
	if len(next.Targets) < known || !slices.Equal(next.Targets[:known], r.job.Targets) {
		return jobs.Errorf(jobs.ErrInvalidRequest, "Targets of job %s can only be added.", next.ID)
	}
	if err := t.addTargets(r.seq, known, next.Targets[known:]); err != nil {
		return err
	}
	if len(next.Targets) > known {
		r.progress.Done = false
	}
	if next.Sweep != r.job.Sweep {
		r.progress.Swept, r.sweepThing = false, 0
	}
	if err := r.saveProgress(t.conn); err != nil {
		return err
	}
	record, err := json.Marshal(next)
	if err != nil {
		return err
	}
	err = query(t.conn, "UPDATE jobs SET version = ?, status = ?, selection = ?, sweep = ?, namespace = ?, record = ? WHERE seq = ?", nil,
		next.Version, int64(next.Status), int64(next.Selection), int64(next.Sweep), next.NamespaceID, string(record), r.seq)
	if err != nil {
		return err
	}
	if err := t.stageProgress(r); err != nil { // before the job: nobody may see its new sweep, and that the last one has ended
		return err
	}
	t.jobs[r.seq] = next
	seq, p := r.seq, r.progress
	t.after(func() { t.view.jobs.set(seq, next, p) })
	return nil
}
