package storetest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// Handles runs only the suite's test of two handles on one store.
func Handles(t *testing.T, e Engine) {
	s := newSuite(t, e)
	testHandles(s)
}

// testHandles acts as two gateways on one store: each sees the other's changes, and a change that both attempt is made once.
func testHandles(s *suite) {
	if !s.engine.Shared {
		_, err := s.open()
		s.Is(err, jobs.ErrStoreInUse)
		s.reopen() // closing releases the store
		return
	}
	second := s.handle()
	all := names(40)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Continuous, groupOf("g"))

	c := s.chunk("j", 10)
	_, err := s.QueueChunk(bg, c)
	s.OK(err)
	_, err = second.QueueChunk(bg, c)
	s.Is(err, jobs.ErrVersionConflict)
	s.becomes("t00", "j", jobs.InProgress)
	list, err := second.Pending(bg, nil, "t00")
	s.OK(err)
	if len(list) != 1 || list[0].Status != jobs.InProgress {
		s.Fatalf("the second handle sees %+v", list)
	}

	// Both report on one execution, from the same version.
	old := s.execution("t00", "j")
	next := old
	next.Status, next.Version = jobs.Succeeded, old.Version+1
	mine, theirs := []jobs.Swap{{Old: old, New: next}}, []jobs.Swap{{Old: old, New: next}}
	s.OK(s.Swap(bg, mine))
	s.OK(second.Swap(bg, theirs))
	s.same("applied", []bool{mine[0].Applied, theirs[0].Applied}, []bool{true, false})

	s.same("rolled out", rollTogether(s, "j", s.Store, second), 30)
	s.counts(jobs.Counts{jobs.Queued: 39, jobs.Succeeded: 1})
	r, err := second.ChangeMembers(bg, jobs.MemberChange{Things: []string{"t01"}, Remove: []string{"g"}, Now: s.now})
	s.OK(err)
	s.same("removed", len(r.Removed), 1)
	s.same("t01", len(s.pending("t01")), 0)

	// One cancels the job and both sweep it. A change of the earlier version is a conflict.
	before, err := second.Job(bg, "j")
	s.OK(err)
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobCanceled, jobs.SweepCancelQueued })
	late := *before
	late.Version++
	_, err = second.SwapJob(bg, late)
	s.Is(err, jobs.ErrVersionConflict)
	swept := 0
	for i, done := 0, false; !done; i++ {
		r, err := []jobs.Store{s.Store, second}[i%2].SweepJob(bg, jobs.SweepChunk{JobID: "j", Limit: 7, Now: s.now})
		s.OK(err)
		swept, done = swept+r.Swept, r.Done
	}
	s.same("swept", swept, 38)
	s.counts(jobs.Counts{jobs.Succeeded: 1, jobs.Removed: 1, jobs.Canceled: 38})
	totals, err := second.Totals(bg)
	s.OK(err)
	s.same("totals", totals, s.progress("j").Counts)
}

// rollTogether rolls a job out by several handles concurrently, and returns how many executions they queued.
func rollTogether(s *suite, id string, handles ...jobs.Store) (queued int) {
	var mu sync.Mutex
	var things []string
	var wg sync.WaitGroup
	for _, h := range handles {
		wg.Go(func() {
			for {
				p, err := h.Progress(bg, id)
				if err != nil || p.Done {
					return
				}
				r, err := h.QueueChunk(bg, jobs.QueueChunk{JobID: id, After: p.Chunks, Limit: 3, Pace: s.now, Now: s.now, Names: true})
				if err != nil && !errors.Is(err, jobs.ErrVersionConflict) {
					s.Error(err)
					return
				}
				mu.Lock()
				things = append(things, r.Things...)
				mu.Unlock()
				time.Sleep(time.Microsecond) // give the other handle a turn
			}
		})
	}
	wg.Wait()
	slices.Sort(things)
	if n := len(slices.Compact(slices.Clone(things))); n != len(things) {
		s.Errorf("%d executions of %d things were queued", len(things), n)
	}
	return len(things)
}
