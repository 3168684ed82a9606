package jobs

import (
	"context"
	"errors"
	"time"
)

// ListExecutionsForJob answers ListJobExecutionsForJob: the latest execution of each thing.
func (s *Service) ListExecutionsForJob(ctx context.Context, jobID string, q ExecutionQuery, p Page) ([]ExecutionSummary, string, error) {
	list, next, err := s.store.OfJob(ctx, jobID, q, p)
	return s.summaries(list), next, err
}

// ListExecutionsForThing answers ListJobExecutionsForThing, the newest job first.
func (s *Service) ListExecutionsForThing(ctx context.Context, thing string, q ExecutionQuery, p Page) ([]ExecutionSummary, string, error) {
	list, next, err := s.store.OfThing(ctx, thing, q, p)
	return s.summaries(list), next, err
}

func (s *Service) summaries(list []Execution) []ExecutionSummary {
	summaries := make([]ExecutionSummary, len(list))
	for i := range list {
		summaries[i] = ExecutionSummary{Execution: list[i], ThingARN: s.names.ThingARN(list[i].Thing)}
	}
	return summaries
}

// Execution answers the control plane's DescribeJobExecution; number 0 is the latest.
func (s *Service) Execution(ctx context.Context, thing, jobID string, number int64) (ExecutionSummary, error) {
	e, err := s.store.Execution(ctx, thing, jobID, number)
	if err != nil {
		return ExecutionSummary{}, err
	}
	return ExecutionSummary{Execution: e, ThingARN: s.names.ThingARN(thing)}, nil
}

// CancelExecution answers CancelJobExecution.
func (s *Service) CancelExecution(ctx context.Context, now time.Time, r CancelExecutionRequest) error {
	now = stored(now)
	for range swapAttempts {
		e, err := s.store.Execution(ctx, r.Thing, r.JobID, 0)
		if err != nil {
			return err
		}
		if r.ExpectedVersion != 0 && r.ExpectedVersion != e.Version {
			return e.versionConflict(r.ExpectedVersion)
		}
		next, err := e.cancel(&r, now)
		if err != nil {
			return err
		}
		if err := s.swap(ctx, Swap{Old: e, New: next}); !errors.Is(err, errLostRace) {
			return err
		}
	}
	return errLostRace
}

// DeleteExecution answers DeleteJobExecution: one that waits or has ended, with force also one that runs.
func (s *Service) DeleteExecution(ctx context.Context, now time.Time, r DeleteExecutionRequest) error {
	now = stored(now)
	if _, err := s.job(ctx, r.JobID, r.NamespaceID); err != nil {
		return err
	}
	for range swapAttempts {
		e, err := s.store.Execution(ctx, r.Thing, r.JobID, r.Number)
		if err != nil {
			return err
		}
		if e.Status == InProgress && !r.Force {
			return e.refused("An execution in state IN_PROGRESS is deleted with force only.")
		}
		e.UpdatedAt = now
		err = s.store.DeleteExecution(ctx, e)
		if errors.Is(err, ErrVersionConflict) {
			continue
		}
		if err == nil {
			if s.direct() {
				s.publishExecution(EventExecutionGone, &e)
			}
			s.scheduler.want(r.JobID)
		}
		return err
	}
	return errLostRace
}
