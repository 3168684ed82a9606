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

// Jobs lists the jobs, whose documents may contain signatures.
type Jobs interface {
	ListJobs(ctx context.Context, q jobs.JobQuery, page jobs.Page) ([]jobs.JobSummary, string, error)
	JobDocument(ctx context.Context, id string, beforeSubstitution bool) (string, error)
}

// resignEvery is the pause before a failed signature is retried.
const resignEvery = 30 * time.Second

// resignDaily is the interval of the checks of running jobs' signatures. A check keeps a signature from being pruned.
const resignDaily = 24 * time.Hour

// Resign signs the code files of running jobs with the current keys, now and once a day, until ctx ends. Devices get a
// 503 for a document until its files are signed. Afterwards, unused signatures are deleted. A job may be created with a key
// that has just been replaced, here or on another gateway. If a device finds no signature, Resign checks again, at most
// once per resignEvery.
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
		case <-time.After(resignEvery): // at most one check per resignEvery, however many devices ask
		}
		select {
		case <-ctx.Done():
			return
		case <-s.missed:
		case <-time.After(wait - resignEvery):
		}
	}
}

// resignOnce returns the first error that is worth a retry.
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
		return nil //nolint:nilerr // the job was deleted, or the store is down and devices get that error
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
