package memory

import (
	"cmp"
	"slices"

	"jobgate/gateway/jobs/engine"
)

// Job implements engine.JobReader.
func (t *tx) Job(id string) (engine.State, error) {
	t.called("Job")
	seq, ok := t.rows.jobByID[id]
	if !ok {
		return engine.State{}, engine.ErrNotFound
	}
	return t.counted(t.rows.jobs[seq]), nil
}

// counted adds the counts, which are kept nowhere.
func (t *tx) counted(s engine.State) engine.State {
	s.Progress.Counts = engine.Counts{}
	for k, x := range t.rows.executions {
		if k.Job == s.Job.Seq {
			s.Progress.Counts[x.Status]++
		}
	}
	return s
}

func (t *tx) states(limit int, order func(a, b engine.State) int, keep func(*engine.State) bool) []engine.State {
	list := where(t.rows.jobs, limit, order, keep)
	for i := range list {
		list[i] = t.counted(list[i])
	}
	return list
}

// ListJobs implements engine.JobReader.
func (t *tx) ListJobs(q engine.JobQuery, before int64, limit int) ([]engine.State, error) {
	t.called("ListJobs")
	newest := func(a, b engine.State) int { return cmp.Compare(b.Job.Seq, a.Job.Seq) }
	return t.states(limit, newest, func(s *engine.State) bool {
		j := s.Job
		return (before == 0 || j.Seq < before) && (!q.Active || j.Active) && (q.Status == 0 || j.Status == q.Status) &&
			(q.Selection == 0 || j.Selection == q.Selection) && (q.Namespace == "" || j.Namespace == q.Namespace) &&
			(q.EndedBefore == 0 || (j.Ended != 0 && j.Ended < q.EndedBefore)) && t.targets(s, &q)
	}), nil
}

// targets says whether a job has a target of the query's.
func (t *tx) targets(s *engine.State, q *engine.JobQuery) bool {
	return (q.GroupName == "" && q.GroupUUID == "") || slices.ContainsFunc(s.Targets, func(goal engine.Target) bool {
		g := t.rows.groups[goal.ID]
		return goal.Group && (q.GroupName == "" || g.Name == q.GroupName) && (q.GroupUUID == "" || g.UUID == q.GroupUUID)
	})
}

// Targeting implements engine.JobReader.
func (t *tx) Targeting(q engine.TargetQuery) ([]engine.State, error) {
	t.called("Targeting")
	oldest := func(a, b engine.State) int { return cmp.Compare(a.Job.Seq, b.Job.Seq) }
	return t.states(all, oldest, func(s *engine.State) bool {
		return (q.Selection == 0 || s.Job.Selection == q.Selection) && q.Statuses.Has(s.Job.Status) &&
			slices.ContainsFunc(s.Targets, func(goal engine.Target) bool { return goal.Group && slices.Contains(q.Groups, goal.ID) })
	}), nil
}

// InsertJob implements engine.Tx.
func (t *tx) InsertJob(j *engine.Job, targets []engine.Target) error {
	t.called("InsertJob")
	if _, taken := t.rows.jobByID[j.ID]; taken {
		return engine.ErrExists
	}
	j.Seq, j.Serial = next(&t.rows.lastJob), t.rows.serial
	set(t, t.rows.jobByID, j.ID, j.Seq)
	set(t, t.rows.jobs, j.Seq, engine.State{Job: j, Targets: slices.Clone(targets)})
	return nil
}

// PutJob implements engine.Tx.
func (t *tx) PutJob(j *engine.Job, add []engine.Target) error {
	t.called("PutJob")
	s := t.rows.jobs[j.Seq]
	s.Job, s.Targets = j, slices.Concat(s.Targets, add)
	set(t, t.rows.jobs, j.Seq, s)
	return nil
}

// PutProgress implements engine.Tx.
func (t *tx) PutProgress(job int64, p *engine.Progress) error {
	t.called("PutProgress")
	s := t.rows.jobs[job]
	s.Progress = *p
	set(t, t.rows.jobs, job, s)
	return nil
}

// DeleteJob implements engine.Tx.
func (t *tx) DeleteJob(job int64) error {
	t.called("DeleteJob")
	unset(t, t.rows.jobByID, t.rows.jobs[job].Job.ID)
	unset(t, t.rows.jobs, job)
	for k := range t.rows.ended {
		if k.Job == job {
			unset(t, t.rows.ended, k)
		}
	}
	return nil
}
