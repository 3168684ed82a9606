package operations

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/plan"
)

// RetryJob creates a job, with the document and settings of another, for the things whose latest execution of that job
// failed. Its target is a new group, filled in the background; its rollout begins when the group is complete. Repeating
// the request returns the same job.
func (s *Service) RetryJob(ctx context.Context, now time.Time, r jobs.RetryJobRequest) (jobs.RetryJobResult, error) {
	now = jobs.Stored(now)
	of := retryOf(&r)
	if r.NewID == "" && !r.DryRun {
		return jobs.RetryJobResult{}, jobs.Errorf(jobs.ErrInvalidRequest, "jobId, the ID of the new job, is required.")
	}
	if r.NewID != "" {
		have, err := s.store.Job(ctx, r.NewID)
		switch {
		case err == nil && have.RetryOf.Same(of):
			return s.retryResult(have), nil
		case err == nil:
			return jobs.RetryJobResult{}, s.jobExists(r.NewID)
		case !errors.Is(err, jobs.ErrNotFound):
			return jobs.RetryJobResult{}, err
		}
	}
	if r.DryRun {
		return s.dryRetry(ctx, &r)
	}
	n, err := s.newRetry(ctx, now, of, r.NewID)
	if err != nil {
		return jobs.RetryJobResult{}, err
	}
	j, made, err := s.store.RetryJob(ctx, n)
	if err != nil {
		return jobs.RetryJobResult{}, err
	}
	if made {
		s.documents.Forget(j.ID)
		s.publish.Job(jobs.EventJobCreated, j, &jobs.Counts{}, now)
		s.driver.Begin(ctx, now, j.ID)
	}
	return s.retryResult(j), nil
}

// dryRetry is RetryJob without creating anything.
func (s *Service) dryRetry(ctx context.Context, r *jobs.RetryJobRequest) (jobs.RetryJobResult, error) {
	if r.NewID != "" {
		_, err := s.store.Group(ctx, jobs.RetryGroup(r.NewID))
		if err == nil {
			err = jobs.RetryGroupExists(r.NewID)
		}
		if !errors.Is(err, jobs.ErrNotFound) {
			return jobs.RetryJobResult{}, err
		}
	}
	n, err := s.store.CountFailures(ctx, r.ID, r.Failures)
	return jobs.RetryJobResult{Things: n}, err
}

func (s *Service) retryResult(j *jobs.Job) jobs.RetryJobResult {
	return jobs.RetryJobResult{JobRef: s.ref(j), Group: jobs.RetryGroup(j.ID), Things: j.RetryOf.Things}
}

// retryOf returns the failures that a request asks to retry.
func retryOf(r *jobs.RetryJobRequest) *jobs.RetryOf {
	of := &jobs.RetryOf{JobID: r.ID}
	for _, status := range jobs.Failures() {
		if len(r.Failures.Statuses) == 0 || slices.Contains(r.Failures.Statuses, status) {
			of.Statuses = append(of.Statuses, status.String())
		}
	}
	if r.Failures.ByReason {
		of.Reason = &r.Failures.Reason
	}
	return of
}

// newRetry builds a job, its document and its group.
func (s *Service) newRetry(ctx context.Context, now time.Time, of *jobs.RetryOf, id string) (n jobs.NewRetry, err error) {
	failed, err := s.store.Job(ctx, of.JobID)
	if err != nil {
		return n, err
	}
	if n.Document, err = s.store.JobDocument(ctx, of.JobID); err != nil {
		return n, err
	}
	if err := s.signDocument(ctx, n.Document, failed.Presign); err != nil {
		return n, err
	}
	scheduling := plan.Ahead(failed.Scheduling, now)
	sched, err := plan.ParseSchedule(scheduling)
	if err != nil {
		return n, err
	}
	if sched.Never(now) {
		return n, jobs.Errorf(jobs.ErrInvalidRequest, "No maintenance window of job %s ever opens again.", of.JobID)
	}
	n.Group = jobs.Group{
		Name: jobs.RetryGroup(id), ID: uuid.NewString(), Version: 1, CreatedAt: now,
		Description: "Things whose execution of job " + of.JobID + " failed, for job " + id,
	}
	n.Job = jobs.Job{
		ID: id, Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot, Targets: []jobs.Target{{Group: true, Name: n.Group.Name}},
		Description: failed.Description, NamespaceID: failed.NamespaceID, TemplateARN: failed.TemplateARN,
		DocumentSource: failed.DocumentSource, DocumentParameters: failed.DocumentParameters,
		Presign: failed.Presign, Rollout: failed.Rollout, Abort: failed.Abort, Timeout: failed.Timeout, Retry: failed.Retry,
		Scheduling: scheduling, RetryOf: of, Filling: true, CreatedAt: now, UpdatedAt: now,
	}
	if n.Job.Description == "" {
		n.Job.Description = "Retry of " + of.JobID
	}
	if open, _ := sched.Open(now); !open {
		n.Job.Status = jobs.JobScheduled
	}
	return n, nil
}

// jobExists returns the error for a job ID that is taken.
func (s *Service) jobExists(id string) error {
	return exists(jobs.ErrAlreadyExists, s.names.JobARN(id), id, "Job %s already exists.", id)
}

// exists returns the error for a resource that already exists.
func exists(kind error, arn, id, format string, name string) error {
	e := jobs.Errorf(kind, format, name)
	e.ResourceARN, e.ResourceID = arn, id
	return e
}
