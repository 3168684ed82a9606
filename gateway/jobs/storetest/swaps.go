package storetest

import (
	"fmt"
	"sync"
	"time"

	"jobgate/gateway/jobs"
)

func testSwap(s *suite) {
	s.things("a", "b")
	s.job("j", jobs.Snapshot, thing("a"), thing("b"))
	s.roll("j", 10)
	queued := s.execution("a", "j")
	s.later(time.Minute)
	running := queued
	running.Status, running.Version = jobs.InProgress, 2
	running.StartedAt, running.UpdatedAt = s.now, s.now
	running.Deadline, running.StepDeadline = s.now.Add(time.Hour), s.now.Add(time.Minute)
	running.Details = jobs.NewStatusDetails(map[string]string{"step": "1", "quote\"": "<é>"})
	apply := func(sw jobs.Swap, want bool) {
		s.Helper()
		swaps := []jobs.Swap{sw}
		s.OK(s.Swap(bg, swaps))
		s.same("applied", swaps[0].Applied, want)
	}
	apply(jobs.Swap{Old: queued, New: running}, true)
	s.same("execution", s.execution("a", "j"), running)
	s.counts(jobs.Counts{jobs.Queued: 1, jobs.InProgress: 1})
	s.reopen()
	s.same("details", s.execution("a", "j").Details.Map(), map[string]string{"step": "1", "quote\"": "<é>"})
	apply(jobs.Swap{Old: queued, New: running}, false) // an old version
	s.same("version", s.execution("a", "j").Version, 2)

	other := running
	other.Thing, other.ThingRow = "nobody", running.ThingRow+1000
	apply(jobs.Swap{Old: other, New: other}, false)

	ended := running
	ended.Status, ended.Version, ended.Forced = jobs.Canceled, 3, true
	ended.Deadline, ended.StepDeadline, ended.Details = time.Time{}, time.Time{}, ""
	apply(jobs.Swap{Old: running, New: ended}, true)
	s.same("execution", s.execution("a", "j").Status, jobs.Canceled)
	s.same("forced", s.execution("a", "j").Forced, true)
	s.same("pending", s.pending("a"), []string(nil))
	apply(jobs.Swap{Old: ended, New: running}, false) // it has ended
	s.counts(jobs.Counts{jobs.Queued: 1, jobs.Canceled: 1})
	totals, err := s.Totals(bg)
	s.OK(err)
	s.same("totals", totals, jobs.Counts{jobs.Queued: 1, jobs.Canceled: 1})

	_, err = s.Execution(bg, "b", "k", 0)
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Execution(bg, "b", "j", 2)
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Execution(bg, "nobody", "j", 0)
	s.Is(err, jobs.ErrNotFound)
}

func testSwapMany(s *suite) {
	all := names(50)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 100)
	swaps := make([]jobs.Swap, len(all))
	for i, name := range all {
		e := s.execution(name, "j")
		next := e
		next.Status, next.Version = jobs.Rejected, 2
		if swaps[i] = (jobs.Swap{Old: e, New: next}); i%2 == 1 {
			swaps[i].Old.Version = 5
		}
	}
	s.OK(s.Swap(bg, swaps))
	for i := range swaps {
		s.same(all[i], swaps[i].Applied, i%2 == 0) // each is applied or not on its own
	}
	s.counts(jobs.Counts{jobs.Queued: 25, jobs.Rejected: 25})
	s.OK(s.Swap(bg, nil))
}

func testSwapRetry(s *suite) {
	s.things("a")
	s.job("j", jobs.Snapshot, thing("a"))
	s.roll("j", 1)
	retry := func(e jobs.Execution) bool {
		failed := e
		failed.Status, failed.Version = jobs.Failed, e.Version+1
		next := jobs.Execution{
			Thing: "a", ThingRow: e.ThingRow, Job: e.Job, Number: e.Number + 1, Version: 1, QueuedAt: s.later(time.Second), UpdatedAt: s.now,
			Retry: e.Retry + 1, RetryTimedOut: 1,
		}
		swaps := []jobs.Swap{{Old: e, New: failed, Next: &next}}
		s.OK(s.Swap(bg, swaps))
		return swaps[0].Applied
	}
	s.same("applied", retry(s.execution("a", "j")), true)
	e := s.execution("a", "j")
	s.same("next", []any{e.Number, e.Version, e.Status, e.Retry, e.RetryTimedOut}, []any{2, 1, jobs.Queued, 1, 1})
	past, err := s.Execution(bg, "a", "j", 1)
	s.OK(err)
	s.same("past", []any{past.Number, past.Version, past.Status}, []any{1, 2, jobs.Failed})
	s.counts(jobs.Counts{jobs.Queued: 1})
	s.reopen()
	sum, err := s.Retried(bg, e.Job)
	s.OK(err)
	s.same("retried", sum, jobs.Retried{Failed: 1, Things: 1})
	s.same("pending", s.pending("a"), []string{"j#2 QUEUED v1"})
	s.same("retry", s.execution("a", "j").Retry, 1)

	e = s.execution("a", "j") // before the job is canceled
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobCanceled, jobs.SweepCancelQueued })
	s.same("applied after the job was canceled", retry(e), false)
	s.same("pending", s.pending("a"), []string{"j#2 QUEUED v1"})
}

// testSwapRace changes the same executions concurrently. Exactly one change of each version is applied.
func testSwapRace(s *suite) {
	const things, workers, rounds = 4, 8, 25
	all := names(things)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 10)
	handles := []jobs.Store{s.Store}
	if s.engine.Shared {
		handles = append(handles, s.handle())
	}
	var wg sync.WaitGroup
	won := make([]int64, workers)
	for w := range workers {
		wg.Go(func() {
			st := handles[w%len(handles)]
			for i := range rounds {
				name := all[(w+i)%things]
				e, err := st.Execution(bg, name, "j", 0)
				if err != nil {
					s.Error(err)
					return
				}
				next := e
				next.Status, next.Version = jobs.InProgress, e.Version+1
				swaps := []jobs.Swap{{Old: e, New: next}}
				if err := st.Swap(bg, swaps); err != nil {
					s.Error(err)
				}
				if swaps[0].Applied {
					won[w]++
				}
			}
		})
	}
	wg.Wait()
	var wins, versions int64
	for _, n := range won {
		wins += n
	}
	for _, name := range all {
		versions += s.execution(name, "j").Version - 1
	}
	s.same("wins", wins, versions)
	s.same("counted", s.progress("j").Counts, jobs.Counts{jobs.InProgress: things})
}

func testPending(s *suite) {
	s.things("a", "idle")
	s.same("idle", s.pending("idle"), []string(nil))
	_, err := s.Pending(bg, nil, "nobody")
	s.Is(err, jobs.ErrNotFound)
	for i := range 5 {
		s.later(time.Second)
		s.job(fmt.Sprint("j", i), jobs.Snapshot, thing("a"))
	}
	for _, i := range []int{3, 1, 4, 0} {
		s.later(time.Second)
		s.roll(fmt.Sprint("j", i), 1)
	}
	s.roll("j2", 1) // at the same time as j0: the older job comes first
	s.same("in order of queueing", s.pending("a"), []string{
		"j3#1 QUEUED v1", "j1#1 QUEUED v1", "j4#1 QUEUED v1", "j0#1 QUEUED v1", "j2#1 QUEUED v1",
	})
	s.becomes("a", "j2", jobs.InProgress)
	s.becomes("a", "j1", jobs.Succeeded)
	want := []string{"j2#1 IN_PROGRESS v2", "j3#1 QUEUED v1", "j4#1 QUEUED v1", "j0#1 QUEUED v1"}
	s.same("in progress first", s.pending("a"), want)
	s.reopen()
	s.same("reopened", s.pending("a"), want)

	buf := make([]jobs.Execution, 1, 8)
	list, err := s.Pending(bg, buf, "a")
	s.OK(err)
	s.same("appended", len(list), 5)
	s.same("in the same array", &list[0] == &buf[0], true)

	// A job's new status is visible in its executions.
	s.swapTo("j3", func(j *jobs.Job) { j.Status = jobs.JobScheduled })
	list, err = s.Pending(bg, nil, "a")
	s.OK(err)
	s.same("the job's status", list[1].Job.Status, jobs.JobScheduled)
}

// testNamesakes changes a job and an execution that were read before the job was deleted and its ID reused. The new job must
// not change.
func testNamesakes(s *suite) {
	s.things("a")
	s.job("j", jobs.Snapshot, thing("a"))
	s.roll("j", 1)
	oldJob, old := *s.execution("a", "j").Job, s.execution("a", "j")
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobDeleting, jobs.SweepDelete })
	_, err := s.SweepJob(bg, jobs.SweepChunk{JobID: "j", Limit: 9, Now: s.now})
	s.OK(err)
	s.OK(s.RemoveJob(bg, "j"))
	s.later(time.Second)
	s.job("j", jobs.Snapshot, thing("a"))
	s.roll("j", 1)

	running := old
	running.Status, running.Version = jobs.InProgress, 2
	swaps := []jobs.Swap{{Old: old, New: running}}
	s.OK(s.Swap(bg, swaps))
	s.same("applied", swaps[0].Applied, false)
	s.Is(s.DeleteExecution(bg, old), jobs.ErrVersionConflict)
	oldJob.Version++
	_, err = s.SwapJob(bg, oldJob)
	s.Is(err, jobs.ErrVersionConflict)
	s.same("pending", s.pending("a"), []string{"j#1 QUEUED v1"})
	s.becomes("a", "j", jobs.InProgress)
}
