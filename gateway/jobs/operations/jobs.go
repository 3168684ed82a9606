package operations

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/managed"
	"jobgate/gateway/jobs/plan"
)

// maxDeleting is how many jobs may be in deletion at once (AWS.md §3).
const maxDeleting = 10

// job returns a job of a namespace; "" matches any.
func (s *Service) job(ctx context.Context, id, namespaceID string) (*jobs.Job, error) {
	j, err := s.store.Job(ctx, id)
	if err == nil && namespaceID != "" && j.NamespaceID != namespaceID {
		return nil, jobs.Errorf(jobs.ErrNotFound, "Job %s is not in namespace %s.", id, namespaceID)
	}
	return j, err
}

// change swaps a job for the result of edit, and retries after conflicting changes.
func (s *Service) change(ctx context.Context, now time.Time, id, namespaceID string, edit func(*jobs.Job) (*jobs.Job, error)) (*jobs.Job, error) {
	for range swapAttempts {
		j, err := s.job(ctx, id, namespaceID)
		if err != nil {
			return nil, err
		}
		next, err := edit(j)
		if err != nil {
			return nil, err
		}
		next.Version, next.UpdatedAt = j.Version+1, now
		j, err = s.store.SwapJob(ctx, *next)
		if !errors.Is(err, jobs.ErrVersionConflict) {
			return j, err
		}
	}
	return nil, jobs.Errorf(jobs.ErrConflict, "Job %s is being changed by others; try again.", id)
}

// DescribeJob answers DescribeJob.
func (s *Service) DescribeJob(ctx context.Context, now time.Time, id string) (jobs.JobDetail, error) {
	j, p, err := s.store.State(ctx, id)
	if err != nil {
		return jobs.JobDetail{}, err
	}
	d := jobs.JobDetail{Job: j, ARN: s.names.JobARN(id), Counts: p.Counts, Concurrent: j.Concurrent(&p)}
	for i, t := range j.Targets {
		arn := s.names.TargetARN(t)
		d.TargetARNs = append(d.TargetARNs, arn)
		if j.Queues() && !p.Done && i >= p.Target {
			d.ProcessingTargets = append(d.ProcessingTargets, arn)
		}
	}
	if j.Pending() && !j.Ended {
		if sched, err := plan.ParseSchedule(j.Scheduling); err == nil {
			d.NextRollouts = sched.Upcoming(now)
		}
	}
	return d, nil
}

// JobDocument answers GetJobDocument: the document with unsigned URLs, and with its parameters filled in unless
// beforeSubstitution.
func (s *Service) JobDocument(ctx context.Context, id string, beforeSubstitution bool) (string, error) {
	document, err := s.store.JobDocument(ctx, id)
	if err != nil || !beforeSubstitution {
		return document, err
	}
	j, err := s.store.Job(ctx, id)
	if err != nil {
		return "", err
	}
	if r, err := s.names.Parse(j.TemplateARN); err == nil && r.Managed {
		if t, err := managed.FindVersion(r.Name); err == nil {
			return t.Document, nil
		}
	}
	return document, nil
}

// ListJobs answers ListJobs, the newest first.
func (s *Service) ListJobs(ctx context.Context, q jobs.JobQuery, p jobs.Page) ([]jobs.JobSummary, string, error) {
	list, next, err := s.store.Jobs(ctx, q, p)
	if err != nil {
		return nil, "", err
	}
	summaries := make([]jobs.JobSummary, len(list))
	for i := range list {
		j := list[i].Job
		summaries[i] = jobs.JobSummary{
			Job: j, ARN: s.names.JobARN(j.ID), GroupID: list[i].GroupID, Concurrent: j.Concurrent(&list[i].Progress),
		}
	}
	return summaries, next, nil
}

// UpdateJob answers UpdateJob. A new timeout applies to executions that start later.
func (s *Service) UpdateJob(ctx context.Context, now time.Time, r jobs.UpdateJobRequest) error {
	now = jobs.Stored(now)
	if err := r.Validate(); err != nil {
		return err
	}
	if r.Retry != nil && !r.Retry.Disabled() {
		return jobs.Errorf(jobs.ErrInvalidRequest, "After a job was created, its retries can only be set to 0.")
	}
	j, err := s.change(ctx, now, r.ID, r.NamespaceID, func(j *jobs.Job) (*jobs.Job, error) { return s.updated(ctx, j, &r) })
	if err != nil {
		return err
	}
	s.documents.Forget(j.ID)
	p, err := s.store.Progress(ctx, j.ID)
	if err != nil {
		return err
	}
	s.publish.Job(jobs.EventJobUpdated, j, &p.Counts, now)
	s.driver.Schedule(j.ID)
	return nil
}

// updated returns j after an update.
func (s *Service) updated(ctx context.Context, j *jobs.Job, r *jobs.UpdateJobRequest) (*jobs.Job, error) {
	if !j.Pending() {
		return nil, jobs.Errorf(jobs.ErrInvalidRequest, "Job %s is %s and cannot be updated.", j.ID, j.Status)
	}
	next := *j
	with := r.Settings.WithDefaults(j.Settings())
	next.Presign, next.Rollout, next.Abort, next.Timeout, next.Retry = with.Presign, with.Rollout, with.Abort, with.Timeout, with.Retry
	if r.Description != nil {
		next.Description = *r.Description
	}
	if r.Presign != nil {
		document, err := s.store.JobDocument(ctx, j.ID)
		if err != nil {
			return nil, err
		}
		if err := s.validateDocument(document, next.Presign, nil); err != nil {
			return nil, err
		}
	}
	return &next, nil
}

// CancelJob answers CancelJob. Queued executions are canceled, with force also those in progress; the first chunk before it
// returns.
func (s *Service) CancelJob(ctx context.Context, now time.Time, r jobs.CancelJobRequest) (jobs.JobRef, error) {
	now = jobs.Stored(now)
	j, err := s.change(ctx, now, r.ID, "", func(j *jobs.Job) (*jobs.Job, error) {
		switch {
		case j.Status == jobs.JobCanceled && r.Force && !j.ForceCanceled: // cancels executions still in progress
		case !j.Pending():
			return nil, jobs.Errorf(jobs.ErrInvalidRequest, "Job %s is %s and cannot be canceled.", j.ID, j.Status)
		}
		next := plan.Cancel(j, r.Force, now)
		if r.ReasonCode != "" { // otherwise an earlier cancellation's reason stays
			next.ReasonCode = r.ReasonCode
		}
		if r.Comment != "" {
			next.Comment = r.Comment
		}
		return next, nil
	})
	if err != nil {
		return jobs.JobRef{}, err
	}
	p, err := s.store.Progress(ctx, j.ID)
	if err != nil {
		return jobs.JobRef{}, err
	}
	s.publish.Job(jobs.EventJobCanceling, j, &p.Counts, now)
	s.driver.Begin(ctx, now, j.ID)
	return s.ref(j), nil
}

// DeleteJob answers DeleteJob. The job is DELETION_IN_PROGRESS until its executions are gone.
func (s *Service) DeleteJob(ctx context.Context, now time.Time, r jobs.DeleteJobRequest) error {
	now = jobs.Stored(now)
	if err := s.roomToDelete(ctx); err != nil {
		return err
	}
	j, err := s.change(ctx, now, r.ID, r.NamespaceID, func(j *jobs.Job) (*jobs.Job, error) {
		if j.Status == jobs.JobDeleting {
			return nil, jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s is being deleted.", j.ID)
		}
		if !j.Status.Terminal() && !r.Force {
			return nil, jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s is %s and is deleted with force only.", j.ID, j.Status)
		}
		next := *j
		next.Status, next.Sweep, next.Stopped = jobs.JobDeleting, jobs.SweepDelete, true
		return &next, nil
	})
	if err != nil {
		return err
	}
	s.documents.Forget(j.ID)
	s.publish.Job(jobs.EventJobDeleting, j, &jobs.Counts{}, now)
	s.driver.Begin(ctx, now, j.ID)
	return nil
}

// roomToDelete returns an error if too many jobs are in deletion.
func (s *Service) roomToDelete(ctx context.Context) error {
	active, err := s.store.ActiveJobs(ctx) // not Jobs, which would scan all ended ones
	if err != nil {
		return err
	}
	deleting := 0
	for _, j := range active {
		if j.Status == jobs.JobDeleting {
			deleting++
		}
	}
	if deleting >= maxDeleting {
		return jobs.Errorf(jobs.ErrLimitExceeded, "%d jobs are being deleted already.", maxDeleting)
	}
	return nil
}

// AssociateTargets answers AssociateTargetsWithJob.
func (s *Service) AssociateTargets(ctx context.Context, now time.Time, r jobs.AssociateTargetsRequest) (jobs.JobRef, error) {
	now = jobs.Stored(now)
	added, err := s.names.Targets(r.Targets)
	if err != nil {
		return jobs.JobRef{}, err
	}
	j, err := s.change(ctx, now, r.ID, r.NamespaceID, func(j *jobs.Job) (*jobs.Job, error) {
		if j.Selection != jobs.Continuous || j.Status != jobs.JobInProgress || j.Stopped {
			return nil, jobs.Errorf(jobs.ErrInvalidRequest, "Targets can be added to a CONTINUOUS job that is IN_PROGRESS.")
		}
		next := *j
		next.Targets = unite(j.Targets, added)
		if len(next.Targets) > jobs.MaxTargets {
			return nil, jobs.Errorf(jobs.ErrLimitExceeded, "A job has at most %d targets.", jobs.MaxTargets)
		}
		if r.Comment != "" {
			next.Comment = r.Comment
		}
		return &next, nil
	})
	if err != nil {
		return jobs.JobRef{}, err
	}
	p, err := s.store.Progress(ctx, j.ID)
	if err != nil {
		return jobs.JobRef{}, err
	}
	s.publish.Job(jobs.EventJobUpdated, j, &p.Counts, now)
	s.driver.Begin(ctx, now, j.ID)
	return s.ref(j), nil
}

// unite returns list with the elements of more that it lacks.
func unite(list, more []jobs.Target) []jobs.Target {
	all := append([]jobs.Target(nil), list...)
	for _, t := range more {
		known := false
		for _, have := range list {
			known = known || have == t
		}
		if !known {
			all = append(all, t)
		}
	}
	return all
}

// ProgressOverTime returns a job's counts over time, one sample a minute and fewer for older times. While the job runs, the
// current counts come last.
func (s *Service) ProgressOverTime(ctx context.Context, now time.Time, jobID string) ([]jobs.Sample, error) {
	j, p, err := s.store.State(ctx, jobID)
	if err != nil {
		return nil, err
	}
	list, err := s.store.Samples(ctx, jobID)
	if err != nil {
		return nil, err
	}
	if n := len(list); j.Over(&p) && n > 0 && list[n-1].Counts == p.Counts {
		return list, nil
	}
	if len(list) == 0 {
		list = append(list, jobs.Sample{At: j.CreatedAt})
	}
	return append(list, jobs.Sample{At: jobs.Stored(now), Counts: p.Counts}), nil
}
