package codesigning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"jobgate/gateway/codesign"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
)

// Jobs lists the jobs whose documents may hold signatures.
type Jobs interface {
	ListJobs(ctx context.Context, q jobs.JobQuery, page jobs.Page) ([]jobs.JobSummary, string, error)
	JobDocument(ctx context.Context, id string, beforeSubstitution bool) (string, error)
}

// resignEvery is how long what could not be signed waits.
const resignEvery = 30 * time.Second

// resignDaily is how often the signatures of running jobs are looked after: it keeps them from being pruned.
const resignDaily = 24 * time.Hour

// Resign signs the code files of running jobs for the keys in force, soon and again each day, until ctx ends. Devices
// are told to come back until all are signed. Then the signatures that nobody needs are deleted. A job may be created
// with a key that has just been replaced, here or on another gateway: a device that misses its signature makes Resign
// look again after resignEvery.
func (s *Signer) Resign(ctx context.Context, all Jobs, log *slog.Logger) {
	for {
		wait := resignDaily
		err := s.resignOnce(ctx, all)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			wait = resignEvery
			log.Warn("code files of running jobs are not signed yet; devices that ask for them are answered 503", "error", err, "again_in", wait.String())
		} else if err := s.shelf.Prune(ctx); err != nil && ctx.Err() == nil {
			log.Warn("cannot delete unused signatures of code files", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(resignEvery): // devices that ask meanwhile are waited for, so that they cannot keep it busy
		}
		select {
		case <-ctx.Done():
			return
		case <-s.missed:
		case <-time.After(wait - resignEvery):
		}
	}
}

// resignOnce returns the first error after which another attempt may succeed.
func (s *Signer) resignOnce(ctx context.Context, all Jobs) (again error) {
	for _, status := range []jobs.JobStatus{jobs.JobInProgress, jobs.JobScheduled} {
		page := jobs.Page{Limit: 100}
		for {
			list, next, err := all.ListJobs(ctx, jobs.JobQuery{Status: status}, page)
			if err != nil {
				return fmt.Errorf("cannot list the jobs: %w", err)
			}
			for i := range list {
				if err := s.resignJob(ctx, all, list[i].Job.ID); errors.Is(err, codesign.ErrUnavailable) && again == nil {
					again = err
				}
			}
			if page.After = next; next == "" {
				break
			}
		}
	}
	return again
}

func (s *Signer) resignJob(ctx context.Context, all Jobs, id string) (failed error) {
	document, err := all.JobDocument(ctx, id, false)
	if err != nil {
		return nil //nolint:nilerr // it was deleted meanwhile, or devices are told that the store is down
	}
	for _, f := range jobdoc.CodeFiles([]byte(document), nil) {
		if _, err := s.signer.Kept(ctx, codesign.File(f)); err == nil {
			continue
		}
		if _, err := s.signer.Sign(ctx, codesign.File(f)); err != nil && failed == nil {
			failed = err // the signer logged it
		}
	}
	return failed
}
