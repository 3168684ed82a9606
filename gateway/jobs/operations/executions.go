package operations

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
)

// ListExecutionsForJob answers ListJobExecutionsForJob: the latest execution of each thing.
func (s *Service) ListExecutionsForJob(ctx context.Context, jobID string, q jobs.ExecutionQuery, p jobs.Page) ([]jobs.ExecutionSummary, string, error) {
	list, next, err := s.store.OfJob(ctx, jobID, q, p)
	return s.summaries(list), next, err
}

// ListExecutionsForThing answers ListJobExecutionsForThing, the newest job first.
func (s *Service) ListExecutionsForThing(ctx context.Context, thing string, q jobs.ExecutionQuery, p jobs.Page) ([]jobs.ExecutionSummary, string, error) {
	list, next, err := s.store.OfThing(ctx, thing, q, p)
	return s.summaries(list), next, err
}

func (s *Service) summaries(list []jobs.Execution) []jobs.ExecutionSummary {
	summaries := make([]jobs.ExecutionSummary, len(list))
	for i := range list {
		summaries[i] = jobs.ExecutionSummary{Execution: list[i], ThingARN: s.names.ThingARN(list[i].Thing)}
	}
	return summaries
}

// Execution answers the control plane's DescribeJobExecution; number 0 is the latest.
func (s *Service) Execution(ctx context.Context, thing, jobID string, number int64) (jobs.ExecutionSummary, error) {
	e, err := s.store.Execution(ctx, thing, jobID, number)
	if err != nil {
		return jobs.ExecutionSummary{}, err
	}
	return jobs.ExecutionSummary{Execution: e, ThingARN: s.names.ThingARN(thing)}, nil
}

// CancelExecution answers CancelJobExecution.
func (s *Service) CancelExecution(ctx context.Context, now time.Time, r jobs.CancelExecutionRequest) error {
	now = jobs.Stored(now)
	for range swapAttempts {
		e, err := s.store.Execution(ctx, r.Thing, r.JobID, 0)
		if err != nil {
			return err
		}
		if r.ExpectedVersion != 0 && r.ExpectedVersion != e.Version {
			return e.VersionConflict(r.ExpectedVersion)
		}
		next, err := e.Cancel(&r, now)
		if err != nil {
			return err
		}
		if err := s.swap(ctx, jobs.Swap{Old: e, New: next}); !errors.Is(err, errLostRace) {
			return err
		}
	}
	return errLostRace
}

// DeleteExecution answers DeleteJobExecution for a queued or ended execution, with force also for one in progress.
func (s *Service) DeleteExecution(ctx context.Context, now time.Time, r jobs.DeleteExecutionRequest) error {
	now = jobs.Stored(now)
	if _, err := s.job(ctx, r.JobID, r.NamespaceID); err != nil {
		return err
	}
	for range swapAttempts {
		e, err := s.store.Execution(ctx, r.Thing, r.JobID, r.Number)
		if err != nil {
			return err
		}
		if e.Status == jobs.InProgress && !r.Force {
			return e.Refused("An execution in state IN_PROGRESS is deleted with force only.")
		}
		e.UpdatedAt = now
		err = s.store.DeleteExecution(ctx, e)
		if errors.Is(err, jobs.ErrVersionConflict) {
			continue
		}
		if err == nil {
			if s.publish.Direct() {
				s.publish.Execution(jobs.EventExecutionGone, &e)
			}
			s.driver.Schedule(r.JobID)
		}
		return err
	}
	return errLostRace
}

// ListFailures lists a job's failed executions, with their devices' reports.
func (s *Service) ListFailures(ctx context.Context, jobID string, q jobs.FailureQuery, p jobs.Page) ([]jobs.Execution, string, error) {
	return s.store.Failures(ctx, jobID, q, p)
}

// FailureReasons adds up a job's failures by reason, the most frequent first.
func (s *Service) FailureReasons(ctx context.Context, jobID string, q jobs.FailureQuery, limit int) ([]jobs.ReasonCount, error) {
	return s.store.Reasons(ctx, jobID, q, limit)
}
