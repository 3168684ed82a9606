package storetest

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

// RetryMany retries a job that failed on many things, through the service, and logs how long each step takes.
// JOBS_SCALE=full means 250,000 things.
func RetryMany(t *testing.T, e Engine) {
	many := 5000
	if os.Getenv("JOBS_SCALE") == "full" {
		many = 250_000
	}
	s := newSuite(t, e)
	list := make([]string, many)
	for i := range list {
		list[i] = fmt.Sprintf("thing-%06d", i)
	}
	s.group("g", "")
	for chunk := range slices.Chunk(list, 2000) {
		s.things(chunk...)
		s.join("g", chunk...)
	}
	j := s.job("j", jobs.Snapshot, groupOf("g"))
	for range many/2000 + 1 {
		r, err := s.QueueChunk(bg, jobs.QueueChunk{JobID: "j", After: s.progress("j").Chunks, Limit: 2000, Pace: s.now, Now: s.now, Names: true})
		s.OK(err)
		s.failAll(j, r.Things)
	}
	service, err := operations.New(operations.Config{Store: s.Store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}})
	s.OK(err)
	timed := func(what string, do func() error) {
		t.Helper()
		begun := time.Now()
		s.OK(do())
		t.Logf("%d things: %s: %v", many, what, time.Since(begun).Round(time.Millisecond))
	}
	retry := func(r jobs.RetryJobRequest) func() error {
		return func() error {
			r.ID = "j"
			made, err := service.RetryJob(bg, s.now, r)
			s.same("things", made.Things, many)
			return err
		}
	}
	disk := jobs.FailureQuery{ByReason: true, Reason: "disk is full"}
	timed("a page of failures", func() error {
		failed, next, err := service.ListFailures(bg, "j", jobs.FailureQuery{}, jobs.Page{Limit: 250})
		s.same("a page", []any{len(failed), next != ""}, []any{250, true})
		return err
	})
	timed("the reasons", func() error {
		reasons, err := service.FailureReasons(bg, "j", jobs.FailureQuery{}, 50)
		s.same("reasons", reasons, []jobs.ReasonCount{{Status: jobs.Failed, Reason: "disk is full", Count: int64(many)}})
		return err
	})
	timed("a dry run", retry(jobs.RetryJobRequest{DryRun: true}))
	timed("a dry run by reason", retry(jobs.RetryJobRequest{DryRun: true, Failures: disk}))
	timed("the retry's answer", retry(jobs.RetryJobRequest{NewID: "again"}))
	timed("its answer once more", retry(jobs.RetryJobRequest{NewID: "again"}))
	timed("the rest of filling and rollout", func() error { return service.Driver().Tick(bg, s.now) })
	s.same("queued", s.progress("again").Counts, jobs.Counts{jobs.Queued: int64(many)})
	timed("the answer of one by reason", retry(jobs.RetryJobRequest{NewID: "disk", Failures: disk}))
}

// failAll lets the queued executions of things fail.
func (s *suite) failAll(j *jobs.Job, things []string) {
	s.Helper()
	swaps := make([]jobs.Swap, 0, len(things))
	after := ""
	for len(swaps) < len(things) {
		list, next, err := s.OfJob(bg, j.ID, jobs.ExecutionQuery{ByStatus: true, Status: jobs.Queued}, jobs.Page{Limit: 2000, After: after})
		s.OK(err)
		for _, e := range list {
			failed := e
			failed.Status, failed.Version, failed.Details = jobs.Failed, e.Version+1, jobs.NewStatusDetails(map[string]string{"reason": "disk is full"})
			swaps = append(swaps, jobs.Swap{Old: e, New: failed})
		}
		if after = next; next == "" {
			break
		}
	}
	s.OK(s.Swap(bg, swaps))
}
