package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// member is a thing that joins or leaves.
type member struct {
	id   int64
	name string
}

// ChangeMembers implements jobs.ThingStore.
func (s *Store) ChangeMembers(ctx context.Context, c jobs.MemberChange) (result jobs.MemberResult, err error) {
	err = s.writeSet(ctx, len(c.Things), func(t *tx) error {
		result = jobs.MemberResult{}
		add, err := t.groups(c.Add)
		if err != nil {
			return err
		}
		remove, err := t.groups(c.Remove)
		if err != nil {
			return err
		}
		members := make([]member, len(c.Things))
		for i, name := range c.Things {
			id, _, err := t.thing(name)
			if err != nil {
				return err
			}
			members[i] = member{id, name}
		}
		return t.moveMembers(&move{now: c.Now, result: &result}, members, add, remove)
	})
	return result, err
}

func (t *tx) groups(names []string) ([]int64, error) {
	ids := make([]int64, len(names))
	for i, name := range names {
		id, _, err := group(t.conn, name)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// move is a change of memberships under way.
type move struct {
	t       *tx
	jobs    []*moveJob        // the continuous jobs that the groups concern
	lineage map[int64][]int64 // a group and its ancestors
	serial  int64
	swept   int64 // the deleted group whose memberships are being ended; 0: none
	now     time.Time
	result  *jobs.MemberResult
}

// moveJob is a continuous job and what it targets.
type moveJob struct {
	*jobRow
	groups, things map[int64]bool
}

// moveMembers puts things into groups and takes them out of others, and does what that means for continuous jobs.
func (t *tx) moveMembers(m *move, members []member, add, remove []int64) error {
	m.t, m.lineage = t, make(map[int64][]int64)
	var err error
	if m.serial, _, err = value(t.conn, "UPDATE meta SET value = value + 1 WHERE name = 'serial' RETURNING value"); err != nil {
		return err
	}
	if err := m.findJobs(add, remove); err != nil {
		return err
	}
	for _, who := range members {
		if err := m.one(who, add, remove); err != nil {
			return err
		}
	}
	return nil
}

// findJobs finds the continuous jobs that target one of the groups, or an ancestor of one.
func (m *move) findJobs(lists ...[]int64) error {
	found := make(map[int64]bool)
	for _, list := range lists {
		for _, g := range list {
			line, err := m.line(g)
			if err != nil {
				return err
			}
			for _, id := range line {
				err := numbers(m.t.conn, `SELECT j.seq FROM targets t JOIN jobs j ON j.seq = t.job
					WHERE t.is_group = 1 AND t.ref = ? AND j.selection = ? AND j.status IN (?, ?)`,
					func(stmt *sqlite.Stmt) error { found[stmt.ColumnInt64(0)] = true; return nil },
					id, int64(jobs.Continuous), int64(jobs.JobScheduled), int64(jobs.JobInProgress))
				if err != nil {
					return err
				}
			}
		}
	}
	for seq := range found {
		j, err := m.t.moveJob(seq)
		if err != nil {
			return err
		}
		m.jobs = append(m.jobs, j)
	}
	return nil
}

func (t *tx) moveJob(seq int64) (*moveJob, error) {
	r, err := t.jobRow(seq)
	if err != nil {
		return nil, err
	}
	j := &moveJob{jobRow: r, groups: make(map[int64]bool), things: make(map[int64]bool)}
	err = numbers(t.conn, "SELECT is_group, ref FROM targets WHERE job = ?", func(stmt *sqlite.Stmt) error {
		if stmt.ColumnBool(0) {
			j.groups[stmt.ColumnInt64(1)] = true
		} else {
			j.things[stmt.ColumnInt64(1)] = true
		}
		return nil
	}, seq)
	return j, err
}

// line returns a group and its ancestors.
func (m *move) line(id int64) ([]int64, error) {
	if line, ok := m.lineage[id]; ok {
		return line, nil
	}
	var line []int64
	err := lineage(m.t.conn, id, func(id int64, _ string) { line = append(line, id) })
	m.lineage[id] = line
	return line, err
}

// one moves one thing.
func (m *move) one(who member, add, remove []int64) error {
	was, err := m.targetOf(who.id)
	if err != nil {
		return err
	}
	for _, g := range remove {
		if err := numbers(m.t.conn, "DELETE FROM members WHERE grp = ? AND thing = ?", nil, g, who.id); err != nil {
			return err
		}
	}
	var joined []int64
	for _, g := range add {
		err := numbers(m.t.conn, "INSERT INTO members (grp, thing, serial) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", nil, g, who.id, m.serial)
		if err != nil {
			return err
		}
		if m.t.conn.Changes() > 0 {
			joined = append(joined, g)
		}
	}
	is, err := m.targetOf(who.id)
	if err != nil {
		return err
	}
	for i, j := range m.jobs {
		switch {
		case was[i] && !is[i]:
			err = m.leave(who, j)
		case is[i] && !was[i]:
			err = m.join(who, j, true)
		case is[i] && !j.progress.Done && m.concerns(j, joined):
			err = m.join(who, j, false) // the rollout may have passed the group it moved to
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// concerns says whether a job targets one of the groups.
func (m *move) concerns(j *moveJob, groups []int64) bool {
	for _, g := range groups {
		for _, id := range m.lineage[g] {
			if j.groups[id] {
				return true
			}
		}
	}
	return false
}

// targetOf says of each of the jobs whether a thing is among its targets. Memberships of a deleted group do not count any
// more, but for those that are being ended.
func (m *move) targetOf(thing int64) ([]bool, error) {
	if len(m.jobs) == 0 {
		return nil, nil
	}
	var direct []int64
	err := numbers(m.t.conn, `SELECT m.grp FROM members m JOIN groups g ON g.id = m.grp
		WHERE m.thing = ? AND (g.deleted = 0 OR g.id = ?)`, func(stmt *sqlite.Stmt) error {
		direct = append(direct, stmt.ColumnInt64(0))
		return nil
	}, thing, m.swept)
	if err != nil {
		return nil, err
	}
	is := make([]bool, len(m.jobs))
	for i, j := range m.jobs {
		is[i] = j.things[thing]
	}
	for _, g := range direct {
		line, err := m.line(g)
		if err != nil {
			return nil, err
		}
		for i, j := range m.jobs {
			for _, id := range line {
				is[i] = is[i] || j.groups[id]
			}
		}
	}
	return is, nil
}

// join queues a job for a thing that has become its target, if the rollout has begun: else the rollout will. anew says
// that what the thing has done for the job before does not count.
func (m *move) join(who member, j *moveJob, anew bool) error {
	if !j.progress.Started || !j.job.Queues() {
		return nil
	}
	e, err := m.t.enqueue(j.jobRow, who.id, who.name, m.now, anew)
	if err == nil && e != nil {
		m.result.Queued = append(m.result.Queued, *e)
	}
	return err
}

// leave removes what a job has pending for a thing that is its target no more.
func (m *move) leave(who member, j *moveJob) error {
	r, found, err := findRow(m.t.conn, j.seq, who.id, 0)
	if err != nil || !found || r.status.Terminal() {
		return err
	}
	e, err := m.t.remove(j.jobRow, &r, who.name, m.now)
	m.result.Removed = append(m.result.Removed, e)
	return err
}
