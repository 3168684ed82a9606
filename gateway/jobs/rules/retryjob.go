package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// fills is the space of the groups being filled for retry jobs, by row of the retry job. While such a value exists, the job
// that it reads from cannot be deleted.
const fills = "fill"

// fill is the progress of filling a group.
type fill struct {
	Source int64 `json:"source"` // the job with the failures
	After  int64 `json:"after"`  // the last thing handled
}

// RetryJob implements jobs.RetryStore.
func (s *Store) RetryJob(ctx context.Context, n jobs.NewRetry) (made *jobs.Job, isNew bool, err error) {
	for range 3 {
		err = s.update(ctx, 1, func(t engine.Tx) error {
			made, isNew, err = s.retryJob(t, &n)
			return err
		})
		if !errors.Is(err, engine.ErrExists) { // otherwise another call has just created it
			break
		}
	}
	return made, isNew, err
}

func (s *Store) retryJob(t engine.Tx, n *jobs.NewRetry) (*jobs.Job, bool, error) {
	of := *n.Job.RetryOf
	_, have, err := findJob(t, n.Job.ID)
	switch {
	case err == nil && have.RetryOf.Same(&of):
		return have, false, nil
	case err == nil:
		return nil, false, jobs.Errorf(jobs.ErrAlreadyExists, "Job %s already exists.", n.Job.ID)
	case !errors.Is(err, jobs.ErrNotFound):
		return nil, false, err
	}
	state, failed, err := findJob(t, of.JobID)
	if err != nil {
		return nil, false, err
	}
	if failed.Status == jobs.JobDeleting {
		return nil, false, jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s is being deleted.", failed.ID)
	}
	which := of.Failures()
	if of.Things, err = countFailures(t, &state, &which); err != nil {
		return nil, false, err
	}
	if of.Things == 0 {
		return nil, false, jobs.NothingToRetry(&of)
	}
	groups, err := t.Groups([]string{n.Group.Name})
	if err != nil {
		return nil, false, err
	}
	if len(groups) > 0 {
		return nil, false, jobs.RetryGroupExists(n.Job.ID)
	}
	of.Row = failed.Row
	j := n.Job
	j.RetryOf = &of
	return &j, true, s.insertRetry(t, &j, n)
}

// insertRetry adds the rows of a retry job: its group, the job, its document, its fill.
func (s *Store) insertRetry(t engine.Tx, j *jobs.Job, n *jobs.NewRetry) error {
	group := []engine.Group{{
		Name: n.Group.Name, UUID: n.Group.ID, Description: n.Group.Description, Version: n.Group.Version, Created: millis(n.Group.CreatedAt),
	}}
	if err := t.PutGroups(group); err != nil {
		return err
	}
	row, err := jobRow(j)
	if err != nil {
		return err
	}
	if err := t.InsertJob(row, []engine.Target{{Group: true, ID: group[0].ID}}); err != nil {
		return err
	}
	j.Row = row.Seq
	begin, err := json.Marshal(fill{Source: j.RetryOf.Row})
	if err != nil {
		return err
	}
	err = t.PutValues([]engine.Value{
		{Space: documents, Key: jobKey(row.Seq), Value: []byte(n.Document)},
		{Space: fills, Key: jobKey(row.Seq), Value: begin},
	})
	if err != nil {
		return err
	}
	return s.publish(t, jobs.NoticeJob(jobs.EventJobCreated, j, &jobs.Counts{}, j.CreatedAt))
}

// FillJob implements jobs.RetryStore.
func (s *Store) FillJob(ctx context.Context, c jobs.FillChunk) (result jobs.MemberResult, now *jobs.Job, err error) {
	err = s.background(ctx, c.Limit, func(t engine.Tx) error {
		result, now, err = s.fillJob(t, &c)
		return err
	})
	return result, now, err
}

func (s *Store) fillJob(t engine.Tx, c *jobs.FillChunk) (result jobs.MemberResult, _ *jobs.Job, err error) {
	state, j, err := findJob(t, c.JobID)
	if err != nil {
		return result, nil, err
	}
	if !j.Filling || !j.Pending() {
		return result, nil, jobs.Errorf(jobs.ErrInvalidStateTransition, "The group of job %s is not being filled.", j.ID)
	}
	at, err := readFill(t, j.Row)
	if err != nil {
		return result, nil, err
	}
	which := j.RetryOf.Failures()
	q := endedQuery(at.Source, &which)
	q.After, q.Limit = at.After, c.Limit
	lines, err := t.Ended(q)
	if err != nil {
		return result, nil, err
	}
	there := true
	if len(lines) > 0 {
		at.After = lines[len(lines)-1].Thing
		if result, there, err = s.joinRetry(t, j, lines, c); err != nil {
			return result, nil, err
		}
	}
	if len(lines) == c.Limit && there {
		return result, j, putFill(t, j.Row, at)
	}
	filled := *j
	filled.Filling, filled.Version, filled.UpdatedAt = false, j.Version+1, c.Now
	row, err := jobRow(&filled)
	if err != nil {
		return result, nil, err
	}
	row.Serial = state.Job.Serial
	if err := t.PutJob(row, nil); err != nil {
		return result, nil, err
	}
	if err := t.DeleteValues(fills, []string{jobKey(j.Row)}); err != nil {
		return result, nil, err
	}
	counts := jobs.Counts(state.Progress.Counts)
	return result, &filled, s.publish(t, jobs.NoticeJob(jobs.EventJobUpdated, &filled, &counts, c.Now))
}

// joinRetry adds the things of some lines to a job's group. there is false if the group was deleted.
func (s *Store) joinRetry(t engine.Tx, j *jobs.Job, lines []engine.Ended, c *jobs.FillChunk) (result jobs.MemberResult, there bool, err error) {
	names := make([]string, len(lines))
	thing := make(map[int64]bool, len(lines))
	for i := range lines {
		names[i], thing[lines[i].Thing] = lines[i].Name, true
	}
	groups, err := t.Groups([]string{j.Targets[0].Name})
	if err != nil || len(groups) == 0 {
		return result, false, err
	}
	m := move{tx: t, add: groups, now: c.Now}
	rows, err := t.Things(names)
	if err != nil {
		return result, true, err
	}
	for i := range rows {
		if !rows[i].Deleted && thing[rows[i].ID] {
			m.things = append(m.things, rows[i])
		}
	}
	if result, err = m.run(); err != nil {
		return result, true, err
	}
	if err := s.publishExecutions(t, result.Queued); err != nil {
		return result, true, err
	}
	return result, true, s.publishExecutions(t, result.Removed)
}

func readFill(r engine.Reader, job int64) (at fill, err error) {
	values, err := r.Values(fills, []string{jobKey(job)})
	if err == nil && len(values) == 0 {
		err = jobs.Errorf(jobs.ErrInvalidStateTransition, "The group of the job has been filled already.")
	}
	if err == nil {
		err = json.Unmarshal(values[0].Value, &at)
	}
	return at, err
}

func putFill(t engine.Tx, job int64, at fill) error {
	value, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return t.PutValues([]engine.Value{{Space: fills, Key: jobKey(job), Value: value}})
}

// swapFill handles fills when a job changes: it ends the fill of a job that is over, and rejects deleting a job that a fill
// reads from.
func swapFill(t engine.Tx, j, next *jobs.Job) error {
	if !next.Pending() {
		next.Filling = false
	}
	if j.Filling && !next.Filling {
		if err := t.DeleteValues(fills, []string{jobKey(j.Row)}); err != nil {
			return err
		}
	}
	if next.Status != jobs.JobDeleting || j.Status == jobs.JobDeleting {
		return nil
	}
	for after := ""; ; {
		values, err := t.ListValues(fills, after, minScan)
		if err != nil {
			return err
		}
		for i := range values {
			var at fill
			if err := json.Unmarshal(values[i].Value, &at); err != nil {
				return fmt.Errorf("filling of job %s: %w", values[i].Key, err)
			}
			if at.Source == j.Row {
				return jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s cannot be deleted yet: its failed executions are being collected for a retry. Try again in a minute.", j.ID)
			}
		}
		if len(values) < minScan {
			return nil
		}
		after = values[len(values)-1].Key
	}
}
