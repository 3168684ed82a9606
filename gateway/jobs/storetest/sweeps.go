package storetest

import (
	"context"
	"time"

	"jobgate/gateway/jobs"
)

// sweep sweeps a job completely and returns what it changed.
func (s *suite) sweep(id string, limit int) (swept int, executions []jobs.Execution) {
	s.Helper()
	for range 1000 {
		r, err := s.SweepJob(bg, jobs.SweepChunk{JobID: id, Limit: limit, Now: s.now, Names: true})
		s.OK(err)
		if r.Swept > limit {
			s.Fatalf("a chunk of %d swept %d", limit, r.Swept)
		}
		swept += r.Swept
		executions = append(executions, r.Executions...)
		s.same("swept", s.progress(id).Swept, r.Done)
		if r.Done {
			return swept, executions
		}
	}
	s.Fatalf("the sweep of %s does not end", id)
	return 0, nil
}

func testSweep(s *suite) {
	all := names(9)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 10)
	for _, name := range all[:3] {
		s.becomes(name, "j", jobs.InProgress)
	}
	s.becomes("t04", "j", jobs.Succeeded)
	_, err := s.SweepJob(bg, jobs.SweepChunk{JobID: "j", Limit: 1, Now: s.now})
	s.Is(err, jobs.ErrInvalidStateTransition)

	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobCanceled, jobs.SweepCancelQueued })
	s.later(time.Second)
	swept, executions := s.sweep("j", 2)
	s.same("swept", swept, 5)
	for _, e := range executions {
		if e.Status != jobs.Canceled || e.Forced || e.Version != 2 || !e.UpdatedAt.Equal(s.now) || e.Thing == "" {
			s.Fatalf("%+v", e)
		}
	}
	s.counts(jobs.Counts{jobs.InProgress: 3, jobs.Succeeded: 1, jobs.Canceled: 5})
	s.same("pending", s.pending("t00"), []string{"j#1 IN_PROGRESS v2"})
	s.same("pending", s.pending("t08"), []string(nil))

	s.swapTo("j", func(j *jobs.Job) { j.Sweep = jobs.SweepCancelAll })
	s.same("a new sweep", s.progress("j").Swept, false)
	swept, executions = s.sweep("j", 2)
	s.same("swept", swept, 3)
	s.same("forced", executions[0].Forced, true)
	s.counts(jobs.Counts{jobs.Succeeded: 1, jobs.Canceled: 8})
	s.swapTo("j", func(j *jobs.Job) { j.Sweep = jobs.SweepNone })
	s.counts(jobs.Counts{jobs.Succeeded: 1, jobs.Canceled: 8})
}

func testSweepDelete(s *suite) {
	all := names(9)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Continuous, groupOf("g"))
	s.roll("j", 10)
	s.leave("g", "t03")
	s.join("g", "t03") // leaves a first attempt
	s.becomes("t01", "j", jobs.InProgress)
	s.becomes("t04", "j", jobs.Succeeded)
	_, err := s.DeleteThing(bg, "t04", 0, s.now)
	s.OK(err)
	s.Is(s.RemoveJob(bg, "j"), jobs.ErrInvalidStateTransition)
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobDeleting, jobs.SweepDelete })
	s.Is(s.RemoveJob(bg, "j"), jobs.ErrInvalidStateTransition)
	swept, _ := s.sweep("j", 2)
	s.same("swept", swept, 9)
	s.counts(jobs.Counts{})
	for _, name := range all[:3] {
		s.same("pending", s.pending(name), []string(nil))
	}
	s.OK(s.RemoveJob(bg, "j"))
	_, err = s.Job(bg, "j")
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Progress(bg, "j")
	s.Is(err, jobs.ErrNotFound)
	_, err = s.JobDocument(bg, "j")
	s.Is(err, jobs.ErrNotFound)
	s.Is(s.RemoveJob(bg, "j"), jobs.ErrNotFound)
	list, _, err := s.OfThing(bg, "t03", jobs.ExecutionQuery{}, jobs.Page{Limit: 10})
	s.OK(err)
	s.same("history of t03", len(list), 0)
	_, _, err = s.OfThing(bg, "t04", jobs.ExecutionQuery{}, jobs.Page{Limit: 10})
	s.Is(err, jobs.ErrNotFound) // no execution of it is left

	s.job("j", jobs.Continuous, groupOf("g")) // the ID is free
	s.same("queued", len(s.roll("j", 10)), 8)
	s.counts(jobs.Counts{jobs.Queued: 8})
}

func testSweepResumes(s *suite) {
	all := names(10)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 10)
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobCanceled, jobs.SweepCancelQueued })
	for done := false; !done; {
		r, err := s.SweepJob(bg, jobs.SweepChunk{JobID: "j", Limit: 3, Now: s.now})
		s.OK(err)
		done = r.Done
		p := s.progress("j")
		s.reopen()
		s.same("progress", s.progress("j"), p)
	}
	s.counts(jobs.Counts{jobs.Canceled: 10})
}

func testReopen(s *suite) {
	s.things("a", "b")
	s.group("g", "", "a", "b")
	s.job("j", jobs.Continuous, groupOf("g"))
	_, err := s.QueueChunk(bg, s.chunk("j", 1))
	s.OK(err)
	s.becomes("a", "j", jobs.InProgress)
	before := s.execution("a", "j")
	s.reopen()
	s.same("execution", s.execution("a", "j").Version, before.Version)
	s.same("queued", s.roll("j", 10), []string{"b"})
	s.things("c")
	s.same("joined", len(s.join("g", "c").Queued), 1)
	s.becomes("a", "j", jobs.Succeeded)
	s.reopen()
	s.counts(jobs.Counts{jobs.Queued: 2, jobs.Succeeded: 1})
	totals, err := s.Totals(bg)
	s.OK(err)
	s.same("totals", totals, s.progress("j").Counts)
}

func testClosed(s *suite) {
	s.things("a")
	s.job("j", jobs.Snapshot, thing("a"))
	s.roll("j", 1)
	s.OK(s.Close())
	s.OK(s.Close())
	s.Is(s.CreateThings(bg, []jobs.Thing{{Name: "b", ID: "b", Version: 1}}), jobs.ErrClosed)
	_, err := s.Thing(bg, "a")
	s.Is(err, jobs.ErrClosed)
	_, err = s.Pending(bg, nil, "a")
	s.Is(err, jobs.ErrClosed)
	_, err = s.Execution(bg, "a", "j", 0)
	s.Is(err, jobs.ErrClosed)
	_, err = s.Job(bg, "j")
	s.Is(err, jobs.ErrClosed)
	_, err = s.Progress(bg, "j")
	s.Is(err, jobs.ErrClosed)
	_, err = s.ActiveJobs(bg)
	s.Is(err, jobs.ErrClosed)
	_, err = s.Totals(bg)
	s.Is(err, jobs.ErrClosed)
	_, err = s.Secret(bg, "one")
	s.Is(err, jobs.ErrClosed)
	_, _, err = s.Due(bg, s.now, 1)
	s.Is(err, jobs.ErrClosed)
	nobody := jobs.Execution{Job: new(jobs.Job)}
	s.Is(s.Swap(bg, []jobs.Swap{{Old: nobody, New: nobody}}), jobs.ErrClosed)
	s.Store = s.handle()
	_, err = s.Thing(bg, "a")
	s.OK(err)
}

func testCanceled(s *suite) {
	ctx, cancel := context.WithCancel(bg)
	cancel()
	err := s.CreateThings(ctx, []jobs.Thing{{Name: "a", ID: "a", Version: 1}})
	s.Is(err, context.Canceled)
	_, err = s.Thing(bg, "a")
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Thing(ctx, "a")
	s.Is(err, context.Canceled)
}
