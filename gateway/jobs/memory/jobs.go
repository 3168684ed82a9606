package memory

import (
	"iter"
	"slices"

	"jobgate/gateway/jobs/engine"
)

func (t *tx) Job(id string) (engine.State, error) {
	t.called("Job")
	seq, _ := t.jobSeqs.get(id)
	s, found := t.jobs.get(seq)
	if !found {
		return s, engine.ErrNotFound
	}
	return t.counted(s), nil
}

// counted adds the counts, which are computed from the executions.
func (t *tx) counted(s engine.State) engine.State {
	s.Progress.Counts = countsOf(t.executions.between(engine.Key{Job: s.Job.Seq}, engine.Key{Job: s.Job.Seq + 1}))
	return s
}

func countsOf(executions iter.Seq2[engine.Key, engine.Execution]) (counts engine.Counts) {
	for _, x := range executions {
		counts[x.Status]++
	}
	return counts
}

// states lists jobs by Seq.
func (t *tx) states(keep func(engine.State) bool) []engine.State {
	list := where(t.jobs.all(), unlimited, keep)
	for i := range list {
		list[i] = t.counted(list[i])
	}
	return list
}

func (t *tx) ListJobs(q engine.JobQuery, before int64, limit int) ([]engine.State, error) {
	t.called("ListJobs")
	list := t.states(func(s engine.State) bool {
		j := s.Job
		return (before == 0 || j.Seq < before) && (!q.Active || j.Active) && (q.Status == 0 || j.Status == q.Status) &&
			(q.Selection == 0 || j.Selection == q.Selection) && (q.Namespace == "" || j.Namespace == q.Namespace) &&
			(q.EndedBefore == 0 || (j.Ended != 0 && j.Ended < q.EndedBefore)) && t.targets(&s, &q)
	})
	slices.Reverse(list)
	return list[:min(limit, len(list))], nil
}

// targets reports whether a job has one of the query's targets.
func (t *tx) targets(s *engine.State, q *engine.JobQuery) bool {
	return (q.GroupName == "" && q.GroupUUID == "") || slices.ContainsFunc(s.Targets, func(goal engine.Target) bool {
		g, _ := t.groups.get(goal.ID)
		return goal.Group && (q.GroupName == "" || g.Name == q.GroupName) && (q.GroupUUID == "" || g.UUID == q.GroupUUID)
	})
}

func (t *tx) Targeting(q engine.TargetQuery) ([]engine.State, error) {
	t.called("Targeting")
	return t.states(func(s engine.State) bool {
		return (q.Selection == 0 || s.Job.Selection == q.Selection) && q.Statuses.Has(s.Job.Status) &&
			slices.ContainsFunc(s.Targets, func(goal engine.Target) bool { return goal.Group && slices.Contains(q.Groups, goal.ID) })
	}), nil
}

func (t *tx) InsertJob(j *engine.Job, targets []engine.Target) error {
	t.called("InsertJob")
	if t.jobSeqs.has(j.ID) {
		return engine.ErrExists
	}
	j.Seq, j.Serial = next(&t.db.last.job), t.db.last.serial
	t.jobSeqs.put(t.id, j.ID, j.Seq)
	t.jobs.put(t.id, j.Seq, engine.State{Job: j, Targets: slices.Clone(targets)})
	return nil
}

func (t *tx) PutJob(j *engine.Job, add []engine.Target) error {
	t.called("PutJob")
	s, _ := t.jobs.get(j.Seq)
	s.Job, s.Targets = j, slices.Concat(s.Targets, add)
	t.jobs.put(t.id, j.Seq, s)
	return nil
}

func (t *tx) PutProgress(job int64, p *engine.Progress) error {
	t.called("PutProgress")
	s, _ := t.jobs.get(job)
	s.Progress = *p
	t.jobs.put(t.id, job, s)
	return nil
}

func (t *tx) DeleteJob(job int64) error {
	t.called("DeleteJob")
	s, _ := t.jobs.get(job)
	t.jobSeqs.remove(t.id, s.Job.ID)
	t.jobs.remove(t.id, job)
	for k := range t.ended.all() {
		if k.Job == job {
			t.ended.remove(t.id, k)
		}
	}
	return nil
}
