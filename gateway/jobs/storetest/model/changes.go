package model

import (
	"slices"

	"jobgate/gateway/jobs"
)

// The operations on the model. Each returns the kind of error that the service should return.

func (m *model) createGroup(name, parent string) error {
	p := m.groups[parent]
	if parent != "" && p == nil {
		return jobs.ErrInvalidRequest
	}
	depth := 1
	for g := p; g != nil; g = g.parent {
		depth++
	}
	if depth > jobs.MaxGroupDepth {
		return jobs.ErrInvalidRequest
	}
	if g := m.groups[name]; g != nil {
		if g.parent != p || !g.plain() {
			return jobs.ErrAlreadyExists
		}
		return nil
	}
	m.groups[name] = &modelGroup{name: name, parent: p, modelRecord: modelRecord{version: 1}}
	return nil
}

func (m *model) deleteGroup(name string) error {
	g := m.groups[name]
	if g == nil {
		return nil
	}
	for _, child := range m.groups {
		if child.parent == g {
			return jobs.ErrInvalidRequest
		}
	}
	delete(m.groups, name)
	for thing, t := range m.things {
		if _, in := t.groups[g]; in {
			m.move(thing, func() { delete(t.groups, g) })
		}
	}
	return nil
}

// move changes a thing's memberships, and adds or removes its executions accordingly.
func (m *model) move(thing string, change func()) {
	was := make(map[*modelJob]bool)
	for _, j := range m.jobs {
		was[j] = m.member(j, thing)
	}
	change()
	for _, j := range m.jobs {
		is := m.member(j, thing)
		e := j.latest(thing)
		switch {
		case !j.running() || is == was[j]:
		case !is && e != nil && !e.Status.Terminal():
			m.end(e, jobs.Removed)
		case j.Selection == jobs.Snapshot:
		case is && j.started && !j.Stopped && (e == nil || e.Status.Terminal()):
			m.queue(j, thing)
		}
	}
	for _, j := range m.jobs {
		moved := j.Selection == jobs.Continuous && j.running() && was[j] && j.started && !j.done && !j.Stopped && m.targets(j, thing)
		if e := j.latest(thing); moved && (e == nil || e.Status == jobs.Removed) && m.joined(j, thing) {
			m.queue(j, thing)
		}
	}
}

// member reports whether a thing is a target of a job, itself or by a group. When it joined does not matter.
func (m *model) member(j *modelJob, thing string) bool {
	t := m.things[thing]
	if t == nil || j.aim.direct[thing] {
		return t != nil
	}
	for g := range t.groups {
		for ; g != nil; g = g.parent {
			if j.aim.groups[g] {
				return true
			}
		}
	}
	return false
}

// joined reports whether a thing has just joined a group that a job targets.
func (m *model) joined(j *modelJob, thing string) bool {
	for g, serial := range m.things[thing].groups {
		for ; serial == m.serial && g != nil; g = g.parent {
			if j.aim.groups[g] {
				return true
			}
		}
	}
	return false
}

// exceedsLimits reports whether a change would put a thing into two groups of one hierarchy, or into too many groups.
func (m *model) exceedsLimits(t *modelThing, add, remove []string) bool {
	root := func(g *modelGroup) *modelGroup {
		for g.parent != nil {
			g = g.parent
		}
		return g
	}
	is := make(map[*modelGroup]bool)
	for g := range t.groups {
		is[g] = m.groups[g.name] == g && !slices.Contains(remove, g.name)
	}
	for _, name := range add {
		added := m.groups[name]
		if is[added] {
			continue
		}
		n := 1
		for g, in := range is {
			if in && root(g) == root(added) {
				return true
			}
			if in {
				n++
			}
		}
		if is[added] = true; n > jobs.MaxGroupsOfThing {
			return true
		}
	}
	return false
}

func (m *model) changeGroups(thing string, add, remove []string) error {
	for _, name := range append(append([]string(nil), add...), remove...) {
		if m.groups[name] == nil {
			return jobs.ErrNotFound
		}
	}
	t := m.things[thing]
	if t == nil {
		return jobs.ErrNotFound
	}
	if m.exceedsLimits(t, add, remove) {
		return jobs.ErrInvalidRequest
	}
	m.serial++
	m.move(thing, func() {
		for _, name := range remove {
			delete(t.groups, m.groups[name])
		}
		for _, name := range add {
			if _, in := t.groups[m.groups[name]]; !in {
				t.groups[m.groups[name]] = m.serial
			}
		}
	})
	return nil
}

// deleteThing does nothing if the thing does not exist.
func (m *model) deleteThing(name string) {
	if m.things[name] == nil {
		return
	}
	delete(m.things, name)
	for _, j := range m.jobs {
		if e := j.latest(name); e != nil && !e.Status.Terminal() {
			m.end(e, jobs.Removed)
		}
	}
}

// createJob adds j, whose targets are names of things and groups.
func (m *model) createJob(j *modelJob) error {
	if m.jobs[j.ID] != nil {
		return jobs.ErrAlreadyExists
	}
	for _, t := range j.Targets {
		if (t.Group && m.groups[t.Name] == nil) || (!t.Group && m.things[t.Name] == nil) {
			return jobs.ErrNotFound
		}
	}
	j.serial = m.serial
	m.serial++
	j.things, j.gone = make(map[string][]jobs.Execution), make(map[string]bool)
	m.aim(j, j.Targets)
	j.Status, j.CreatedAt = jobs.JobInProgress, m.now
	m.jobs[j.ID] = j
	return nil
}

func (m *model) aim(j *modelJob, targets []jobs.Target) {
	for _, a := range []*aim{&j.aim, &j.ahead} {
		if a.groups == nil {
			*a = aim{make(map[*modelGroup]bool), make(map[string]bool)}
		}
		for _, t := range targets {
			if t.Group {
				a.groups[m.groups[t.Name]] = true
			} else {
				a.direct[t.Name] = true
			}
		}
	}
}

func (m *model) associate(id string, targets []jobs.Target) error {
	j := m.jobs[id]
	if j == nil {
		return jobs.ErrNotFound
	}
	if j.Selection != jobs.Continuous || j.Status != jobs.JobInProgress || j.Stopped {
		return jobs.ErrInvalidRequest
	}
	var added []jobs.Target
	for _, t := range targets {
		if slices.Contains(j.Targets, t) {
			continue
		}
		if (t.Group && m.groups[t.Name] == nil) || (!t.Group && m.things[t.Name] == nil) {
			return jobs.ErrNotFound
		}
		added = append(added, t)
	}
	if len(added) > 0 {
		j.Targets, j.done = append(j.Targets, added...), false
		m.aim(j, added)
	}
	return nil
}

// updateJob replaces the given configurations.
func (m *model) updateJob(q *jobs.UpdateJobRequest) error {
	j := m.jobs[q.ID]
	switch {
	case j == nil:
		return jobs.ErrNotFound
	case !j.running():
		return jobs.ErrInvalidRequest
	}
	if q.Rollout != nil {
		j.Rollout, j.limited = q.Rollout, true
	}
	if q.Abort != nil {
		j.Abort = q.Abort
	}
	if q.Timeout != nil {
		j.Timeout = q.Timeout // for executions that start later
	}
	if q.Retry != nil {
		j.Retry = q.Retry
	}
	return nil
}

func (m *model) cancelJob(id string, force bool) error {
	j := m.jobs[id]
	switch {
	case j == nil:
		return jobs.ErrNotFound
	case !j.running() && (j.Status != jobs.JobCanceled || !force || j.ForceCanceled):
		return jobs.ErrInvalidRequest
	}
	m.stop(j, force)
	return nil
}

func (m *model) deleteJob(id string, force bool) error {
	j := m.jobs[id]
	switch {
	case j == nil:
		return jobs.ErrNotFound
	case j.running() && !force:
		return jobs.ErrInvalidStateTransition
	}
	delete(m.jobs, id)
	return nil
}
