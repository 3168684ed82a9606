package memory

import (
	"cmp"
	"context"
	"slices"

	"jobgate/gateway/jobs/engine"
)

// joined fills what reading adds to a row.
func (t *tx) joined(x engine.Execution) engine.Execution {
	x.Name, x.Of = t.rows.things[x.Thing].Name, t.rows.jobs[x.Job].Job
	return x
}

func (t *tx) list(limit int, order func(a, b engine.Execution) int, keep func(*engine.Execution) bool) []engine.Execution {
	list := where(t.rows.executions, limit, order, keep)
	for i := range list {
		list[i] = t.joined(list[i])
	}
	return list
}

// Executions implements engine.ExecutionReader.
func (t *tx) Executions(keys []engine.Key) (list []engine.Execution, err error) {
	t.called("Executions")
	for _, k := range keys {
		if x, ok := t.rows.executions[k]; ok {
			list = append(list, x)
		}
	}
	return list, nil
}

// Attempts implements engine.ExecutionReader.
func (t *tx) Attempts(k engine.Key) ([]engine.Execution, error) {
	t.called("Attempts")
	return where(t.rows.attempts, all, byNumber, func(x *engine.Execution) bool { return x.Job == k.Job && x.Thing == k.Thing }), nil
}

func byNumber(a, b engine.Execution) int { return cmp.Compare(a.Number, b.Number) }

func byJob(a, b engine.Execution) int {
	return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Number, b.Number))
}

func byThing(a, b engine.Execution) int { return cmp.Compare(a.Thing, b.Thing) }

// PendingOf implements engine.ExecutionReader.
func (t *tx) PendingOf(things []int64) (list []engine.Execution, err error) {
	t.called("PendingOf")
	for job := range t.rows.jobs {
		for _, thing := range things {
			if x, ok := t.rows.executions[engine.Key{Job: job, Thing: thing}]; ok && x.Status < engine.FirstEnded {
				list = append(list, t.joined(x))
			}
		}
	}
	slices.SortFunc(list, byJob)
	return list, nil
}

// ListOfJob implements engine.ExecutionReader.
func (t *tx) ListOfJob(job int64, q engine.ExecutionQuery, after int64, limit int) ([]engine.Execution, error) {
	t.called("ListOfJob")
	return t.list(limit, byThing, func(x *engine.Execution) bool {
		return x.Job == job && x.Thing > after && q.Statuses.Has(x.Status)
	}), nil
}

// ListOfThing implements engine.ExecutionReader.
func (t *tx) ListOfThing(thing int64, q engine.ExecutionQuery, before engine.AttemptKey, limit int) ([]engine.Execution, error) {
	t.called("ListOfThing")
	keep := func(x *engine.Execution) bool {
		below := before.Job == 0 || x.Job < before.Job || (x.Job == before.Job && x.Number < before.Number)
		j := t.rows.jobs[x.Job].Job
		return x.Thing == thing && below && q.Statuses.Has(x.Status) && (q.JobID == "" || j.ID == q.JobID) &&
			(q.Namespace == "" || j.Namespace == q.Namespace)
	}
	newest := func(a, b engine.Execution) int { return byJob(b, a) }
	list := slices.Concat(where(t.rows.executions, all, newest, keep), where(t.rows.attempts, all, newest, keep))
	slices.SortFunc(list, newest)
	list = list[:min(limit, len(list))]
	for i := range list {
		list[i] = t.joined(list[i])
	}
	return list, nil
}

// lines returns a job's lines of ended executions that are still the latest.
func (t *tx) lines(job int64, keep func(*engine.Ended) bool) (list []engine.Ended) {
	for k, line := range t.rows.ended {
		if x := t.rows.executions[k.Key]; k.Job == job && x.Number == line.Number && x.Status == line.Status && keep(&line) {
			line.Name = t.rows.things[line.Thing].Name
			list = append(list, line)
		}
	}
	return list
}

// Ended implements engine.ExecutionReader.
func (t *tx) Ended(q engine.EndedQuery) ([]engine.Ended, error) {
	t.called("Ended")
	list := t.lines(q.Job, func(e *engine.Ended) bool {
		return e.Thing > q.After && q.Statuses.Has(e.Status) && (!q.ByReason || e.Reason == q.Reason)
	})
	slices.SortFunc(list, func(a, b engine.Ended) int { return cmp.Compare(a.Thing, b.Thing) })
	return list[:min(q.Limit, len(list))], nil
}

// Reasons implements engine.ExecutionReader.
func (t *tx) Reasons(q engine.EndedQuery) (list []engine.ReasonCount, err error) {
	t.called("Reasons")
	counts := make(map[engine.ReasonCount]int64)
	for _, line := range t.lines(q.Job, func(e *engine.Ended) bool {
		return q.Statuses.Has(e.Status) && (!q.ByReason || e.Reason == q.Reason)
	}) {
		counts[engine.ReasonCount{Status: line.Status, Reason: line.Reason}]++
	}
	for r, n := range counts {
		r.Count = n
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b engine.ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
	})
	return list[:min(q.Limit, len(list))], nil
}

// Apply implements engine.Tx.
func (t *tx) Apply(changes []engine.Change) error {
	t.called("Apply")
	for i := range changes {
		c := &changes[i]
		c.Applied, c.Found = false, nil
		s, there := t.rows.jobs[c.Job]
		if !there || (c.JobVersion != 0 && s.Job.Version != c.JobVersion) {
			continue
		}
		x, there := t.rows.executions[c.Key]
		switch {
		case c.Number == 0 && there:
			c.Found = &x
		case c.Number == 0 || (there && x.Number == c.Number && x.Version == c.Version):
			t.apply(c)
		}
	}
	return nil
}

// apply makes a change.
func (t *tx) apply(c *engine.Change) {
	c.Applied = true
	set(t, t.rows.executions, c.Key, row(c.New, c.Key))
	if c.Past != nil {
		set(t, t.rows.attempts, engine.AttemptKey{Key: c.Key, Number: c.Past.Number}, row(*c.Past, c.Key))
		t.end(c.Key, c.Past)
	}
	t.end(c.Key, &c.New)
	if c.Entry != nil {
		t.entries = append(t.entries, engine.Entry{Job: c.Job, Payload: c.Entry})
	}
}

// row returns x as it is kept.
func row(x engine.Execution, k engine.Key) engine.Execution {
	x.Job, x.Thing, x.Name, x.Of = k.Job, k.Thing, "", nil
	return x
}

// end adds a line if x has just ended.
func (t *tx) end(k engine.Key, x *engine.Execution) {
	at := engine.AttemptKey{Key: k, Number: x.Number}
	if _, told := t.rows.ended[at]; x.Status >= engine.FirstEnded && !told {
		set(t, t.rows.ended, at, engine.Ended{Thing: k.Thing, Number: x.Number, Status: x.Status, Reason: x.Reason})
	}
}

// DeleteExecutions implements engine.Tx.
func (t *tx) DeleteExecutions(rows []engine.Execution) (n int, err error) {
	t.called("DeleteExecutions")
	for i := range rows {
		k := engine.Key{Job: rows[i].Job, Thing: rows[i].Thing}
		if x, ok := t.rows.executions[k]; ok && x.Number == rows[i].Number && x.Version == rows[i].Version {
			unset(t, t.rows.executions, k)
			n++
		}
	}
	return n, nil
}

// DeleteAttempts implements engine.Tx.
func (t *tx) DeleteAttempts(keys []engine.AttemptKey) (n int, err error) {
	t.called("DeleteAttempts")
	which := make(map[engine.AttemptKey]bool, len(keys))
	for _, k := range keys {
		which[k] = true
	}
	for k := range t.rows.attempts {
		if which[k] || which[engine.AttemptKey{Key: k.Key}] {
			unset(t, t.rows.attempts, k)
			n++
		}
	}
	return n, nil
}

// again is when an execution that was due is looked at again, in milliseconds.
const again = 5000

// Due implements engine.Engine.
func (e *Engine) Due(ctx context.Context, now int64, limit int) (due []engine.Execution, next int64, err error) {
	t, err := e.enter(ctx, "Due")
	if err != nil {
		return nil, 0, err
	}
	defer e.db.mu.Unlock()
	soonest := func(a, b engine.Execution) int {
		return cmp.Or(cmp.Compare(a.Timer(), b.Timer()), cmp.Compare(a.Thing, b.Thing))
	}
	for _, x := range t.list(limit+1, soonest, func(x *engine.Execution) bool { return x.Timer() != 0 }) {
		if x.Timer() > now || len(due) == limit {
			return due, max(now, x.Timer()), nil
		}
		due = append(due, x)
	}
	if len(due) > 0 {
		next = now + again
	}
	return due, next, nil
}
