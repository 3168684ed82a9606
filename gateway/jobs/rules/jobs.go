package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// documents is the space of the jobs' documents, by job row.
const documents = "document"

// jobOf returns a job's row as a job.
func jobOf(row *engine.Job) (*jobs.Job, error) {
	v, err := row.Decoded(decodeJob)
	if err != nil {
		return nil, err
	}
	return v.(*jobs.Job), nil
}

func decodeJob(row *engine.Job) (any, error) {
	j := new(jobs.Job)
	if err := json.Unmarshal([]byte(row.Record), j); err != nil {
		return nil, fmt.Errorf("record of job %q: %w", row.ID, err)
	}
	j.Row = row.Seq
	return j, nil
}

// jobRow returns a job as its row.
func jobRow(j *jobs.Job) (*engine.Job, error) {
	record, err := json.Marshal(j)
	return &engine.Job{
		Seq: j.Row, ID: j.ID, Version: j.Version, Status: uint8(j.Status), Selection: uint8(j.Selection),
		Sweep: uint8(j.Sweep), Namespace: j.NamespaceID, Active: !j.Status.Terminal() || j.Sweep != jobs.SweepNone,
		Created: millis(j.CreatedAt), Ended: millis(j.CompletedAt), Record: string(record),
	}, err
}

func progressOf(p *engine.Progress) jobs.Progress {
	return jobs.Progress{
		Counts: jobs.Counts(p.Counts), Notified: p.Notified, Chunks: p.Chunks,
		Started: p.Started, Done: p.Done, Swept: p.Swept, Target: p.Target, Pace: instant(p.Pace),
	}
}

// findJob reads a job in a transaction.
func findJob(r engine.Reader, id string) (engine.State, *jobs.Job, error) {
	state, err := r.Job(id)
	if errors.Is(err, engine.ErrNotFound) {
		err = noJob(id)
	}
	if err != nil {
		return state, nil, err
	}
	j, err := jobOf(state.Job)
	return state, j, err
}

// State implements jobs.JobStore.
func (s *Store) State(ctx context.Context, id string) (*jobs.Job, jobs.Progress, error) {
	state, err := s.engine.Job(ctx, id)
	if errors.Is(err, engine.ErrNotFound) {
		err = noJob(id)
	}
	if err != nil {
		return nil, jobs.Progress{}, problem(err)
	}
	j, err := jobOf(state.Job)
	return j, progressOf(&state.Progress), err
}

// Job implements jobs.JobStore.
func (s *Store) Job(ctx context.Context, id string) (*jobs.Job, error) {
	j, _, err := s.State(ctx, id)
	return j, err
}

// Progress implements jobs.JobStore.
func (s *Store) Progress(ctx context.Context, id string) (jobs.Progress, error) {
	_, p, err := s.State(ctx, id)
	return p, err
}

// CreateJob implements jobs.JobStore.
func (s *Store) CreateJob(ctx context.Context, n jobs.NewJob) (*jobs.Job, error) {
	j := n.Job
	err := s.update(ctx, 1, func(t engine.Tx) error {
		row, err := jobRow(&j)
		if err != nil {
			return err
		}
		if _, err := t.Job(j.ID); !errors.Is(err, engine.ErrNotFound) {
			if err == nil {
				err = jobs.Errorf(jobs.ErrAlreadyExists, "Job %s already exists.", j.ID)
			}
			return err
		}
		targets, err := resolve(t, j.Targets)
		if err != nil {
			return err
		}
		if err := t.InsertJob(row, targets); err != nil {
			return err
		}
		j.Row = row.Seq
		document := engine.Value{Space: documents, Key: jobKey(row.Seq), Value: []byte(n.Document)}
		if err := t.PutValues([]engine.Value{document}); err != nil {
			return err
		}
		if err := setTags(t, jobs.Resource{Kind: jobs.KindJob, Name: j.ID}, n.Tags); err != nil {
			return err
		}
		return s.publish(t, jobs.NoticeJob(jobs.EventJobCreated, &j, &jobs.Counts{}, j.CreatedAt))
	})
	if err != nil {
		return nil, err
	}
	return &j, nil
}

// jobKey is the key of a job's values.
func jobKey(job int64) string { return strconv.FormatInt(job, 10) }

// resolve finds the rows of targets.
func resolve(r engine.Reader, targets []jobs.Target) ([]engine.Target, error) {
	var things, groups []string
	for _, goal := range targets {
		if goal.Group {
			groups = append(groups, goal.Name)
		} else {
			things = append(things, goal.Name)
		}
	}
	ofThings, err := liveThings(r, things)
	if err != nil {
		return nil, err
	}
	ofGroups, err := liveGroups(r, groups)
	if err != nil {
		return nil, err
	}
	list := make([]engine.Target, len(targets))
	for i, goal := range targets {
		if goal.Group {
			list[i], ofGroups = engine.Target{Group: true, ID: ofGroups[0].ID}, ofGroups[1:]
		} else {
			list[i], ofThings = engine.Target{ID: ofThings[0].ID}, ofThings[1:]
		}
	}
	return list, nil
}

// JobDocument implements jobs.JobStore.
func (s *Store) JobDocument(ctx context.Context, id string) (document string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		state, _, err := findJob(r, id)
		if err != nil {
			return err
		}
		values, err := r.Values(documents, []string{jobKey(state.Job.Seq)})
		if err == nil && len(values) == 0 {
			err = noJob(id)
		}
		if err == nil {
			document = string(values[0].Value)
		}
		return err
	})
	return document, err
}

// Jobs implements jobs.JobStore.
func (s *Store) Jobs(ctx context.Context, q jobs.JobQuery, p jobs.Page) (list []jobs.ListedJob, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		states, err := r.ListJobs(engine.JobQuery{
			Status: uint8(q.Status), Selection: uint8(q.Selection), Namespace: q.NamespaceID,
			GroupName: q.GroupName, GroupUUID: q.GroupID, EndedBefore: millis(q.EndedBefore),
		}, number(p.After), p.Limit+1)
		if err != nil {
			return err
		}
		states, next = page(states, p.Limit, func(s *engine.State) string { return strconv.FormatInt(s.Job.Seq, 10) })
		list = make([]jobs.ListedJob, len(states))
		for i := range states {
			if list[i].Job, err = jobOf(states[i].Job); err != nil {
				return err
			}
			list[i].Progress = progressOf(&states[i].Progress)
		}
		return nameGroups(r, list)
	})
	return list, next, err
}

// nameGroups finds the first group that each of the jobs targets.
func nameGroups(r engine.Reader, list []jobs.ListedJob) error {
	var names []string
	for i := range list {
		for _, goal := range list[i].Job.Targets {
			if goal.Group {
				names = append(names, goal.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	groups, err := r.Groups(slices.Compact(names))
	if err != nil {
		return err
	}
	ids := make(map[string]string, len(groups))
	for i := range groups {
		ids[groups[i].Name] = groups[i].UUID
	}
	for i := range list {
		for _, goal := range list[i].Job.Targets {
			if goal.Group && list[i].GroupID == "" {
				list[i].GroupID = ids[goal.Name]
			}
		}
	}
	return nil
}

// ActiveJobs implements jobs.JobStore.
func (s *Store) ActiveJobs(ctx context.Context) (list []*jobs.Job, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		states, err := r.ListJobs(engine.JobQuery{Active: true}, 0, maxActive)
		if err != nil {
			return err
		}
		list = make([]*jobs.Job, len(states))
		for i := range states {
			if list[len(states)-1-i], err = jobOf(states[i].Job); err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// maxActive exceeds the number of jobs that can be active.
const maxActive = 1 << 30

// Totals implements jobs.JobStore.
func (s *Store) Totals(ctx context.Context) (jobs.Counts, error) {
	counts, err := s.engine.Totals(ctx)
	return jobs.Counts(counts), problem(err)
}

// SwapJob implements jobs.JobStore.
func (s *Store) SwapJob(ctx context.Context, next jobs.Job) (*jobs.Job, error) {
	err := s.update(ctx, 1, func(t engine.Tx) error {
		state, j, err := findJob(t, next.ID)
		if err != nil {
			return err
		}
		if j.Version != next.Version-1 || !j.CreatedAt.Equal(next.CreatedAt) {
			return jobs.Errorf(jobs.ErrVersionConflict, "Job %s has version %d, expected was %d.", next.ID, j.Version, next.Version-1)
		}
		known := len(j.Targets)
		if len(next.Targets) < known || !slices.Equal(next.Targets[:known], j.Targets) {
			return jobs.Errorf(jobs.ErrInvalidRequest, "Targets of job %s can only be added.", next.ID)
		}
		added, err := resolve(t, next.Targets[known:])
		if err != nil {
			return err
		}
		if err := swapFill(t, j, &next); err != nil {
			return err
		}
		p := state.Progress
		if len(added) > 0 {
			p.Done = false
		}
		if next.Sweep != j.Sweep {
			p.Swept, p.SweepThing = false, 0
		}
		if p != state.Progress {
			if err := t.PutProgress(state.Job.Seq, &p); err != nil {
				return err
			}
		}
		next.Row = j.Row
		row, err := jobRow(&next)
		if err != nil {
			return err
		}
		row.Serial = state.Job.Serial
		if err := t.PutJob(row, added); err != nil {
			return err
		}
		event, counts := j.EventFor(&next), jobs.Counts(state.Progress.Counts)
		if event == jobs.EventJobDeleting {
			counts = jobs.Counts{} // they are being deleted
		}
		return s.publish(t, jobs.NoticeJob(event, &next, &counts, next.UpdatedAt))
	})
	if err != nil {
		return nil, err
	}
	return &next, nil
}

// RemoveJob implements jobs.JobStore.
func (s *Store) RemoveJob(ctx context.Context, id string) error {
	return s.background(ctx, 1, func(t engine.Tx) error {
		state, j, err := findJob(t, id)
		if err != nil {
			return err
		}
		left, err := t.ListOfJob(j.Row, engine.ExecutionQuery{}, 0, 1)
		if err != nil {
			return err
		}
		if len(left) > 0 || j.Status != jobs.JobDeleting {
			return jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s is %s and cannot be removed yet.", id, j.Status)
		}
		if err := t.DeleteJob(j.Row); err != nil {
			return err
		}
		for _, space := range []string{documents, progress} {
			if err := t.DeleteValues(space, []string{jobKey(j.Row)}); err != nil {
				return err
			}
		}
		if j.Retry != nil {
			if err := t.DeleteValues(retried, retriedKeys(j.Row)); err != nil {
				return err
			}
		}
		if err := removeTags(t, jobs.Resource{Kind: jobs.KindJob, Name: id}); err != nil {
			return err
		}
		if err := purge(t, state.Targets); err != nil {
			return err
		}
		gone := jobs.NoticeJob(jobs.EventJobDeleted, j, new(jobs.Counts), time.Time{})
		gone.At = 0 // use the time it is read
		return s.publish(t, gone)
	})
}

// purge removes deleted things and groups that only this job still referred to.
func purge(t engine.Tx, targets []engine.Target) error {
	var things, groups []int64
	for _, goal := range targets {
		if goal.Group {
			groups = append(groups, goal.ID)
		} else {
			things = append(things, goal.ID)
		}
	}
	if len(things) > 0 {
		if err := t.PurgeThings(things); err != nil {
			return err
		}
	}
	if len(groups) > 0 {
		return t.PurgeGroups(groups)
	}
	return nil
}
