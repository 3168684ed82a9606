package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"jobgate/gateway/jobs"
)

// failed creates a job for n things. Thing i succeeded if 5 divides i, timed out if 3 does, and failed otherwise. It returns
// those that did not succeed.
func (s *suite) failed(id string, n int) (failed []string) {
	s.Helper()
	all := names(n)
	s.things(all...)
	s.group("g", "", all...)
	s.job(id, jobs.Snapshot, groupOf("g"))
	s.roll(id, n)
	for i, name := range all {
		switch {
		case i%5 == 0:
			s.fails(name, id, jobs.Succeeded, "")
			continue
		case i%3 == 0:
			s.fails(name, id, jobs.TimedOut, "")
		default:
			s.fails(name, id, jobs.Failed, []string{"disk", "power"}[i%2])
		}
		failed = append(failed, name)
	}
	return failed
}

// retry returns the creation of a job that retries the failures of another.
func (s *suite) retry(id, of string, edit func(*jobs.RetryOf)) jobs.NewRetry {
	retry := &jobs.RetryOf{JobID: of, Statuses: []string{"FAILED", "TIMED_OUT", "REJECTED"}}
	if edit != nil {
		edit(retry)
	}
	return jobs.NewRetry{
		Job: jobs.Job{
			ID: id, Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot,
			Targets: []jobs.Target{groupOf(jobs.RetryGroup(id))}, RetryOf: retry, Filling: true, CreatedAt: s.now, UpdatedAt: s.now,
		},
		Document: `{"again":true}`,
		Group:    jobs.Group{Name: jobs.RetryGroup(id), ID: "id-of-" + id, Description: "d", Version: 1, CreatedAt: s.now},
	}
}

// makeRetry creates a job that retries failures of job "j".
func (s *suite) makeRetry(id string, edit func(*jobs.RetryOf)) *jobs.Job {
	s.Helper()
	j, made, err := s.RetryJob(bg, s.retry(id, "j", edit))
	s.OK(err)
	s.same("made", made, true)
	return j
}

// fill fills a job's group completely.
func (s *suite) fill(id string, limit int) {
	s.Helper()
	for range 1000 {
		_, j, err := s.FillJob(bg, jobs.FillChunk{JobID: id, Limit: limit, Now: s.now})
		s.OK(err)
		if !j.Filling {
			return
		}
	}
	s.Fatalf("the group of %s is never full", id)
}

// members returns the members of a retry's group.
func (s *suite) members(id string) []string {
	s.Helper()
	list, _, err := s.Members(bg, jobs.RetryGroup(id), false, jobs.Page{Limit: 1000})
	s.OK(err)
	slices.Sort(list)
	return list
}

func testRetryJob(s *suite) {
	failed := s.failed("j", 20)
	s.later(time.Minute)
	j := s.makeRetry("again", nil)
	s.same("things", j.RetryOf.Things, len(failed))
	s.same("members yet", len(s.members("again")), 0)
	document, err := s.JobDocument(bg, "again")
	s.OK(err)
	s.same("document", document, `{"again":true}`)

	// Nothing is rolled out before the group is full.
	_, err = s.QueueChunk(bg, s.chunk("again", 3))
	s.Is(err, jobs.ErrInvalidStateTransition)
	_, filling, err := s.FillJob(bg, jobs.FillChunk{JobID: "again", Limit: 3, Now: s.now})
	s.OK(err)
	s.same("filling", filling.Filling, true)
	s.same("members", s.members("again"), failed[:3])
	_, err = s.QueueChunk(bg, s.chunk("again", 3))
	s.Is(err, jobs.ErrInvalidStateTransition)
	s.fill("again", 3)
	s.same("members", s.members("again"), failed)
	_, _, err = s.FillJob(bg, jobs.FillChunk{JobID: "again", Limit: 3, Now: s.now})
	s.Is(err, jobs.ErrInvalidStateTransition)
	got, err := s.Job(bg, "again")
	s.OK(err)
	s.same("version", []any{got.Version, got.Filling}, []any{2, false})
	queued := s.roll("again", 7) // although the members joined after the job was created
	slices.Sort(queued)
	s.same("queued", queued, failed)

	// The same request again returns the job. A different one with the same ID fails.
	same, made, err := s.RetryJob(bg, s.retry("again", "j", nil))
	s.OK(err)
	s.same("again", []any{made, same.Row, same.RetryOf.Things}, []any{false, j.Row, len(failed)})
	_, _, err = s.RetryJob(bg, s.retry("again", "j", func(r *jobs.RetryOf) { r.Statuses = r.Statuses[:1] }))
	s.Is(err, jobs.ErrAlreadyExists)
	_, _, err = s.RetryJob(bg, s.retry("j", "j", nil))
	s.Is(err, jobs.ErrAlreadyExists)
	_, _, err = s.RetryJob(bg, s.retry("other", "none", nil))
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Group(bg, jobs.RetryGroup("other"))
	s.Is(err, jobs.ErrNotFound)

	for reason, want := range map[string][]string{"power": {"t01", "t07", "t11", "t13", "t17", "t19"}, "": {"t03", "t06", "t09", "t12", "t18"}} {
		id := "by" + reason
		s.makeRetry(id, func(r *jobs.RetryOf) { r.Reason = &reason })
		s.fill(id, 2)
		s.same("by reason "+reason, s.members(id), want)
	}
	_, _, err = s.RetryJob(bg, s.retry("rejected", "j", func(r *jobs.RetryOf) { r.Statuses = r.Statuses[2:] }))
	s.Is(err, jobs.ErrInvalidRequest) // none was rejected
	for q, want := range map[*jobs.FailureQuery]int64{{}: 16, {Statuses: []jobs.Status{jobs.TimedOut}}: 5, {ByReason: true, Reason: "power"}: 6} {
		n, err := s.CountFailures(bg, "j", *q)
		s.OK(err)
		s.same(fmt.Sprintf("%+v", *q), n, want)
	}
}

// testRetryJobResumes fills a group with the store reopened before each chunk, and another by two handles concurrently.
func testRetryJobResumes(s *suite) {
	failed := s.failed("j", 30)
	s.makeRetry("again", nil)
	for chunks, done := 0, false; !done; chunks++ {
		s.reopen()
		_, j, err := s.FillJob(bg, jobs.FillChunk{JobID: "again", Limit: 5, Now: s.now})
		s.OK(err)
		done = !j.Filling
		s.same("members", s.members("again"), failed[:min(5*(chunks+1), len(failed))])
	}
	handles := []jobs.Store{s.Store, s.Store}
	if s.engine.Shared {
		handles[1] = s.handle()
	}
	var wg sync.WaitGroup
	made := make([]bool, len(handles))
	for i, h := range handles {
		wg.Go(func() {
			_, isNew, err := h.RetryJob(bg, s.retry("together", "j", nil))
			if err != nil {
				s.Error(err)
				return
			}
			made[i] = isNew
			for {
				_, j, err := h.FillJob(bg, jobs.FillChunk{JobID: "together", Limit: 3, Now: s.now})
				if errors.Is(err, jobs.ErrInvalidStateTransition) || (err == nil && !j.Filling) {
					return
				}
				if err != nil {
					s.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	s.same("created by one only", made[0] != made[1], true)
	s.same("members", s.members("together"), failed)
}

// testRetryJobOver ends the filling of groups early.
func testRetryJobOver(s *suite) {
	failed := s.failed("j", 12)
	deleting := func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobDeleting, jobs.SweepDelete }
	refused := func() {
		s.Helper()
		j, err := s.Job(bg, "j")
		s.OK(err)
		next := *j
		next.Version++
		deleting(&next)
		_, err = s.SwapJob(bg, next)
		s.Is(err, jobs.ErrInvalidStateTransition)
	}
	// The failed job cannot be deleted while its failures are being read.
	for _, id := range []string{"a", "b", "c", "d"} {
		s.makeRetry(id, nil)
	}
	refused()
	s.swapTo("a", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobCanceled, jobs.SweepCancelQueued }) // ends the filling
	a, err := s.Job(bg, "a")
	s.OK(err)
	s.same("filling", a.Filling, false)
	_, _, err = s.FillJob(bg, jobs.FillChunk{JobID: "a", Limit: 3, Now: s.now})
	s.Is(err, jobs.ErrInvalidStateTransition)
	s.swapTo("b", deleting)
	s.OK(s.RemoveJob(bg, "b"))
	refused()
	s.OK(s.DeleteGroup(bg, jobs.RetryGroup("c"), 0, s.now)) // there is no group left to fill
	s.fill("c", 3)
	refused()
	_, err = s.DeleteThing(bg, failed[0], 0, s.now) // a deleted thing is left out
	s.OK(err)
	_, err = s.DeleteThing(bg, failed[1], 0, s.now) // unless it is registered again
	s.OK(err)
	s.things(failed[1])
	s.fill("d", 3)
	s.same("members", s.members("d"), failed[1:])

	_, _, err = s.RetryJob(bg, s.retry("b", "j", nil)) // b is deleted, but its group is not
	s.Is(err, jobs.ErrAlreadyExists)
	s.swapTo("j", deleting)
	_, _, err = s.RetryJob(bg, s.retry("e", "j", nil))
	s.Is(err, jobs.ErrInvalidStateTransition)
	same, made, err := s.RetryJob(bg, s.retry("d", "j", nil))
	s.OK(err)
	s.same("the same", []any{made, same.ID}, []any{false, "d"})
}
