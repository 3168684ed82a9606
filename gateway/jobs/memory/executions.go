package memory

import (
	"cmp"
	"slices"

	"jobgate/gateway/jobs/engine"
)

// joined adds the thing's name and the job to a row.
func (t *tx) joined(x engine.Execution) engine.Execution {
	thing, _ := t.things.get(x.Thing)
	s, _ := t.jobs.get(x.Job)
	x.Name, x.Of = thing.Name, s.Job
	return x
}

func (t *tx) joinedAll(list []engine.Execution) []engine.Execution {
	for i := range list {
		list[i] = t.joined(list[i])
	}
	return list
}

func soonest(a, b engine.Execution) int {
	return cmp.Or(cmp.Compare(a.Timer(), b.Timer()), cmp.Compare(a.Thing, b.Thing))
}

func newest(a, b engine.Execution) int {
	return cmp.Or(cmp.Compare(b.Job, a.Job), cmp.Compare(b.Number, a.Number))
}

func (t *tx) Executions(keys []engine.Key) ([]engine.Execution, error) {
	t.called("Executions")
	return pick(&t.executions, keys), nil
}

func (t *tx) Attempts(k engine.Key) ([]engine.Execution, error) {
	t.called("Attempts")
	return where(t.attempts.all(), unlimited, func(x engine.Execution) bool { return x.Job == k.Job && x.Thing == k.Thing }), nil
}

func (t *tx) PendingOf(things []int64) (list []engine.Execution, err error) {
	t.called("PendingOf")
	for job := range t.jobs.all() {
		for _, thing := range things {
			if x, found := t.executions.get(engine.Key{Job: job, Thing: thing}); found && x.Status < engine.FirstEnded {
				list = append(list, t.joined(x))
			}
		}
	}
	return list, nil
}

func (t *tx) ListOfJob(job int64, q engine.ExecutionQuery, after int64, limit int) ([]engine.Execution, error) {
	t.called("ListOfJob")
	rows := t.executions.between(engine.Key{Job: job, Thing: after + 1}, engine.Key{Job: job + 1})
	return t.joinedAll(where(rows, limit, func(x engine.Execution) bool { return q.Statuses.Has(x.Status) })), nil
}

func (t *tx) ListOfThing(thing int64, q engine.ExecutionQuery, before engine.AttemptKey, limit int) ([]engine.Execution, error) {
	t.called("ListOfThing")
	keep := func(x engine.Execution) bool {
		below := before.Job == 0 || x.Job < before.Job || (x.Job == before.Job && x.Number < before.Number)
		s, _ := t.jobs.get(x.Job)
		return x.Thing == thing && below && q.Statuses.Has(x.Status) && (q.JobID == "" || s.Job.ID == q.JobID) &&
			(q.Namespace == "" || s.Job.Namespace == q.Namespace)
	}
	list := slices.Concat(where(t.executions.all(), unlimited, keep), where(t.attempts.all(), unlimited, keep))
	return t.joinedAll(sorted(list, limit, newest)), nil
}

// lines returns the lines that match a query, of executions that are still the latest.
func (t *tx) lines(q *engine.EndedQuery, after int64, limit int) []engine.Ended {
	from, to := engine.Key{Job: q.Job, Thing: after + 1}, engine.Key{Job: q.Job + 1}
	list := where(t.ended.between(engine.AttemptKey{Key: from}, engine.AttemptKey{Key: to}), limit, func(line engine.Ended) bool {
		x, _ := t.executions.get(engine.Key{Job: q.Job, Thing: line.Thing})
		return x.Number == line.Number && x.Status == line.Status && q.Statuses.Has(line.Status) && (!q.ByReason || line.Reason == q.Reason)
	})
	for i := range list {
		x, _ := t.things.get(list[i].Thing)
		list[i].Name = x.Name
	}
	return list
}

func (t *tx) Ended(q engine.EndedQuery) ([]engine.Ended, error) {
	t.called("Ended")
	return t.lines(&q, q.After, q.Limit), nil
}

func (t *tx) Reasons(q engine.EndedQuery) (list []engine.ReasonCount, err error) {
	t.called("Reasons")
	counts := make(map[engine.ReasonCount]int64)
	for _, line := range t.lines(&q, 0, unlimited) {
		counts[engine.ReasonCount{Status: line.Status, Reason: line.Reason}]++
	}
	for r, n := range counts {
		r.Count = n
		list = append(list, r)
	}
	return sorted(list, q.Limit, func(a, b engine.ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
	}), nil
}

func (t *tx) Apply(changes []engine.Change) error {
	t.called("Apply")
	for i := range changes {
		c := &changes[i]
		c.Applied, c.Found = false, nil
		s, found := t.jobs.get(c.Job)
		if !found || (c.JobVersion != 0 && s.Job.Version != c.JobVersion) {
			continue
		}
		x, found := t.executions.get(c.Key)
		switch {
		case c.Number == 0 && found:
			c.Found = &x
		case c.Number == 0 || (found && x.Number == c.Number && x.Version == c.Version):
			t.apply(c)
		}
	}
	return nil
}

// apply makes a change.
func (t *tx) apply(c *engine.Change) {
	c.Applied = true
	t.executions.put(t.id, c.Key, stored(c.New, c.Key))
	if c.Past != nil {
		t.attempts.put(t.id, engine.AttemptKey{Key: c.Key, Number: c.Past.Number}, stored(*c.Past, c.Key))
		t.end(c.Key, c.Past)
	}
	t.end(c.Key, &c.New)
	if c.Entry != nil {
		t.publish(engine.Entry{Job: c.Job, Payload: c.Entry})
	}
}

// stored returns x as it is stored.
func stored(x engine.Execution, k engine.Key) engine.Execution {
	x.Job, x.Thing, x.Name, x.Of = k.Job, k.Thing, "", nil
	return x
}

// end adds a line to the ended executions if x has ended and has none.
func (t *tx) end(k engine.Key, x *engine.Execution) {
	at := engine.AttemptKey{Key: k, Number: x.Number}
	if x.Status >= engine.FirstEnded && !t.ended.has(at) {
		t.ended.put(t.id, at, engine.Ended{Thing: k.Thing, Number: x.Number, Status: x.Status, Reason: x.Reason})
	}
}

func (t *tx) DeleteExecutions(rows []engine.Execution) (n int, err error) {
	t.called("DeleteExecutions")
	for i := range rows {
		k := engine.Key{Job: rows[i].Job, Thing: rows[i].Thing}
		if x, found := t.executions.get(k); found && x.Number == rows[i].Number && x.Version == rows[i].Version {
			t.executions.remove(t.id, k)
			n++
		}
	}
	return n, nil
}

func (t *tx) DeleteAttempts(keys []engine.AttemptKey) (n int, err error) {
	t.called("DeleteAttempts")
	for at := range t.attempts.all() {
		if slices.Contains(keys, at) || slices.Contains(keys, engine.AttemptKey{Key: at.Key}) {
			t.attempts.remove(t.id, at)
			n++
		}
	}
	return n, nil
}
