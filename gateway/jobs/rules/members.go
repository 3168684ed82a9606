package rules

import (
	"context"
	"maps"
	"slices"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// ChangeMembers implements jobs.ThingStore.
func (s *Store) ChangeMembers(ctx context.Context, c jobs.MemberChange) (result jobs.MemberResult, err error) {
	err = s.update(ctx, len(c.Things), func(t engine.Tx) error {
		m := move{tx: t, now: c.Now}
		groups, err := liveGroups(t, slices.Concat(c.Add, c.Remove))
		if err != nil {
			return err
		}
		m.add, m.remove = groups[:len(c.Add)], groups[len(c.Add):]
		if m.things, err = liveThings(t, c.Things); err != nil {
			return err
		}
		m.bounded = c.Bounded
		if result, err = m.run(); err != nil {
			return err
		}
		if err := s.publishExecutions(t, result.Queued); err != nil {
			return err
		}
		return s.publishExecutions(t, result.Removed)
	})
	return result, err
}

// move adds things to groups and removes them from others, and applies the consequences for jobs.
type move struct {
	tx          engine.Tx
	things      []engine.Thing
	add, remove []engine.Group
	now         time.Time
	bounded     bool // see jobs.MemberChange

	line    map[int64][]int64        // a group and its ancestors
	groups  map[int64]map[int64]bool // a thing's groups, as they are now
	joined  map[int64][]int64        // groups that are new for a thing
	jobs    []moveJob                // the jobs affected
	targets []map[engine.Target]bool // theirs
	found   map[engine.Key]*engine.Execution
	result  jobs.MemberResult
	changes []engine.Change
}

// moveJob is a job that has not ended.
type moveJob struct {
	*jobs.Job
	progress engine.Progress
}

func (m *move) run() (jobs.MemberResult, error) {
	if err := m.read(); err != nil {
		return m.result, err
	}
	if err := m.bounds(); err != nil {
		return m.result, err
	}
	was := m.targeted()
	if err := m.write(); err != nil {
		return m.result, err
	}
	if len(m.jobs) == 0 {
		return m.result, nil
	}
	is := m.targeted()
	if err := m.readExecutions(was, is); err != nil {
		return m.result, err
	}
	for i := range m.things {
		for k := range m.jobs {
			if err := m.one(&m.things[i], k, was[i][k], is[i][k]); err != nil {
				return m.result, err
			}
		}
	}
	return m.result, apply(m.tx, m.changes)
}

// read reads the things' groups, and the jobs that target the groups.
func (m *move) read() error {
	m.line, m.groups = make(map[int64][]int64), make(map[int64]map[int64]bool)
	ids := make([]int64, len(m.things))
	for i, thing := range m.things {
		ids[i], m.groups[thing.ID] = thing.ID, make(map[int64]bool)
	}
	q := engine.TargetQuery{
		Statuses: engine.SetOf(uint8(jobs.JobScheduled), uint8(jobs.JobInProgress)),
	}
	for _, g := range slices.Concat(m.add, m.remove) {
		line := []int64{g.ID}
		for _, a := range g.Above {
			line = append(line, a.ID)
		}
		m.line[g.ID] = line
		q.Groups = append(q.Groups, line...)
	}
	memberships, err := m.tx.Memberships(ids)
	if err != nil {
		return err
	}
	for _, of := range memberships {
		if of.State == engine.GroupLive || m.line[of.Group] != nil { // memberships of a deleted group count until they are ended
			m.groups[of.Thing][of.Group] = true
			m.line[of.Group] = append([]int64{of.Group}, of.Above...)
		}
	}
	states, err := m.tx.Targeting(q)
	if err != nil {
		return err
	}
	for i := range states {
		j, err := jobOf(states[i].Job)
		if err != nil {
			return err
		}
		targets := make(map[engine.Target]bool, len(states[i].Targets))
		for _, goal := range states[i].Targets {
			targets[goal] = true
		}
		m.jobs, m.targets = append(m.jobs, moveJob{j, states[i].Progress}), append(m.targets, targets)
	}
	return nil
}

// bounds checks AWS's limits on the resulting memberships.
func (m *move) bounds() error {
	if !m.bounded {
		return nil
	}
	for _, thing := range m.things {
		is := maps.Clone(m.groups[thing.ID])
		for _, g := range m.remove {
			delete(is, g.ID)
		}
		for _, g := range m.add {
			if is[g.ID] {
				continue
			}
			for other := range is {
				if m.root(other) == m.root(g.ID) {
					return jobs.Errorf(jobs.ErrInvalidRequest, "Thing %s is in another group of the hierarchy of thing group %s.", thing.Name, g.Name)
				}
			}
			if is[g.ID] = true; len(is) > jobs.MaxGroupsOfThing {
				return jobs.Errorf(jobs.ErrInvalidRequest, "Thing %s is in %d thing groups, the limit.", thing.Name, jobs.MaxGroupsOfThing)
			}
		}
	}
	return nil
}

// root returns a group's topmost ancestor, or the group itself.
func (m *move) root(group int64) int64 { return m.line[group][len(m.line[group])-1] }

// write writes the memberships, removals first.
func (m *move) write() error {
	var add, remove []engine.Member
	for _, thing := range m.things {
		for _, g := range m.remove {
			remove = append(remove, engine.Member{Group: g.ID, Thing: thing.ID})
			delete(m.groups[thing.ID], g.ID)
		}
		for _, g := range m.add {
			add = append(add, engine.Member{Group: g.ID, Thing: thing.ID})
			m.groups[thing.ID][g.ID] = true
		}
	}
	joined, err := m.tx.MoveMembers(add, remove)
	m.joined = make(map[int64][]int64)
	for _, j := range joined {
		m.joined[j.Thing] = append(m.joined[j.Thing], j.Group)
	}
	return err
}

// targeted says for each thing and job whether the thing is a target of the job.
func (m *move) targeted() [][]bool {
	all := make([][]bool, len(m.things))
	for i, thing := range m.things {
		all[i] = make([]bool, len(m.jobs))
		for k := range m.jobs {
			all[i][k] = m.targets[k][engine.Target{ID: thing.ID}]
			for g := range m.groups[thing.ID] {
				all[i][k] = all[i][k] || m.concerns(k, g)
			}
		}
	}
	return all
}

// concerns reports whether a job targets a group.
func (m *move) concerns(job int, group int64) bool {
	return slices.ContainsFunc(m.line[group], func(id int64) bool {
		return m.targets[job][engine.Target{Group: true, ID: id}]
	})
}

// readExecutions reads the executions that one may need.
func (m *move) readExecutions(was, is [][]bool) error {
	var keys []engine.Key
	for i, thing := range m.things {
		for k := range m.jobs {
			if was[i][k] || is[i][k] {
				keys = append(keys, engine.Key{Job: m.jobs[k].Row, Thing: thing.ID})
			}
		}
	}
	m.found = make(map[engine.Key]*engine.Execution)
	if len(keys) == 0 {
		return nil
	}
	rows, err := m.tx.Executions(keys)
	for i := range rows {
		m.found[engine.Key{Job: rows[i].Job, Thing: rows[i].Thing}] = &rows[i]
	}
	return err
}

// one applies the consequences of a thing's move for a job.
func (m *move) one(thing *engine.Thing, job int, was, is bool) error {
	j := &m.jobs[job]
	moved := slices.ContainsFunc(m.joined[thing.ID], func(g int64) bool { return m.concerns(job, g) })
	switch {
	case was && !is:
		return m.leave(thing, j)
	case j.Selection == jobs.Snapshot: // things that join after its creation do not get it
		return nil
	case is && !was:
		return m.join(thing, j, true)
	case is && !j.progress.Done && moved:
		return m.join(thing, j, false) // the rollout may have passed the group it moved to
	}
	return nil
}

// join queues a job for a thing that has become its target, if the rollout has begun; otherwise the rollout will do it. anew
// says that the thing's earlier execution of the job does not count.
func (m *move) join(thing *engine.Thing, j *moveJob, anew bool) error {
	if !j.progress.Started || !j.Queues() {
		return nil
	}
	key := engine.Key{Job: j.Row, Thing: thing.ID}
	if past := m.found[key]; !eligible(past, anew) {
		return nil
	}
	e, c := enqueue(j.Job, engine.Visit{Thing: thing.ID, Name: thing.Name, Found: m.found[key]}, m.now)
	m.result.Queued = append(m.result.Queued, e)
	m.changes = append(m.changes, c)
	return nil
}

// leave removes a job's pending execution on a thing that is no longer its target.
func (m *move) leave(thing *engine.Thing, j *moveJob) error {
	row := m.found[engine.Key{Job: j.Row, Thing: thing.ID}]
	if row == nil || jobs.Status(row.Status).Terminal() {
		return nil
	}
	before := execution(row, thing.Name, j.Job)
	e := before.Remove(m.now)
	m.result.Removed = append(m.result.Removed, e)
	m.changes = append(m.changes, change(&before, &e))
	return nil
}
