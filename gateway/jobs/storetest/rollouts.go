package storetest

import (
	"fmt"
	"slices"
	"time"

	"jobgate/gateway/jobs"
)

// names returns n names of things.
func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("t%02d", i)
	}
	return list
}

func testRollout(s *suite) {
	all := names(10)
	s.things(all...)
	s.group("g", "", all[:8]...)
	s.group("h", "", all[6:]...)
	s.job("j", jobs.Snapshot, thing("t09"), groupOf("g"), groupOf("h"), thing("t00"))
	s.same("progress", s.progress("j"), jobs.Progress{})

	c := s.chunk("j", 3)
	c.Pace = s.now.Add(time.Second)
	r, err := s.QueueChunk(bg, c)
	s.OK(err)
	s.same("first chunk", r.Queued, 3)
	p := s.progress("j")
	s.same("progress", p, r.Progress)
	s.same("progress", p, jobs.Progress{
		Counts: jobs.Counts{jobs.Queued: 3}, Notified: 3, Chunks: 1, Started: true, Target: 1, Pace: c.Pace,
	})
	_, err = s.QueueChunk(bg, c) // the same chunk again, by another gateway
	s.Is(err, jobs.ErrVersionConflict)
	c.After = 1
	c.JobID = "k"
	_, err = s.QueueChunk(bg, c)
	s.Is(err, jobs.ErrNotFound)

	queued := append(r.Things, s.roll("j", 3)...)
	slices.Sort(queued)
	s.same("queued", queued, all) // each exactly once
	s.counts(jobs.Counts{jobs.Queued: 10})
	s.same("notified", s.progress("j").Notified, 10)
	for _, name := range all {
		s.same(name, s.pending(name), []string{"j#1 QUEUED v1"})
	}
	e := s.execution("t03", "j")
	s.same("queued at", []time.Time{e.QueuedAt, e.UpdatedAt, e.StartedAt}, []time.Time{s.now, s.now, {}})

	s.swapTo("j", func(j *jobs.Job) { j.Status = jobs.JobScheduled })
	_, err = s.QueueChunk(bg, s.chunk("j", 3))
	s.Is(err, jobs.ErrInvalidStateTransition)
}

func testRolloutSnapshot(s *suite) {
	s.things("a", "b", "c", "d", "later")
	s.group("g", "", "a", "b", "c", "d")
	s.job("snapshot", jobs.Snapshot, groupOf("g"))
	s.job("continuous", jobs.Continuous, groupOf("g"))
	s.join("g", "later")
	s.leave("g", "b")
	s.leave("g", "c")
	s.join("g", "c") // joined again, after the snapshot
	s.same("snapshot", s.roll("snapshot", 10), []string{"a", "d"})
	s.same("continuous", s.roll("continuous", 10), []string{"a", "c", "d", "later"})
}

func testRolloutFamily(s *suite) {
	all := names(9)
	s.things(all...)
	s.group("top", "", all[:2]...)
	s.group("left", "top", all[2:4]...)
	s.group("right", "top", all[4:6]...)
	s.group("leaf", "left", all[1:8]...)
	s.group("other", "", all[8])
	s.job("j", jobs.Snapshot, groupOf("top"))
	for _, limit := range []int{1, 2, 100} {
		id := fmt.Sprint("j", limit)
		s.job(id, jobs.Snapshot, groupOf("top"))
		queued := s.roll(id, limit)
		slices.Sort(queued)
		s.same("the family of top", queued, all[:8])
	}
	s.same("the family of left", len(s.roll("j", 3)), 8)
	s.job("empty", jobs.Snapshot, groupOf("top"))
	s.leave("top", all...)
}

// testRolloutDone checks that the chunk that queues the last thing completes the rollout.
func testRolloutDone(s *suite) {
	s.things("a", "b", "c")
	s.group("g", "", "a", "b", "c")
	s.group("empty", "g")
	s.group("gone", "", "a")
	s.things("goes")
	for i, targets := range [][]jobs.Target{
		{groupOf("g")},
		{thing("a"), groupOf("g")},
		{thing("a"), thing("b"), thing("c")},
		{groupOf("g"), thing("a"), groupOf("empty"), thing("goes"), groupOf("gone")},
	} {
		id := fmt.Sprint("j", i)
		s.job(id, jobs.Snapshot, targets...)
		if i == 3 {
			_, err := s.DeleteThing(bg, "goes", 0, s.now)
			s.OK(err)
			s.OK(s.DeleteGroup(bg, "gone", 0, s.now))
		}
		r, err := s.QueueChunk(bg, s.chunk(id, 2))
		s.OK(err)
		s.same("after two", []any{r.Queued, r.Progress.Done}, []any{2, false})
		r, err = s.QueueChunk(bg, s.chunk(id, 1))
		s.OK(err)
		s.same("after three", []any{r.Queued, r.Progress.Done}, []any{1, true})
	}
}

func testRolloutResumes(s *suite) {
	all := names(20)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Snapshot, groupOf("g"))
	var queued []string
	for done := false; !done; {
		r, err := s.QueueChunk(bg, s.chunk("j", 7))
		s.OK(err)
		queued, done = append(queued, r.Things...), r.Progress.Done
		p := s.progress("j")
		s.reopen()
		s.same("progress", s.progress("j"), p)
	}
	slices.Sort(queued)
	s.same("queued", queued, all)
}

func testAddTargets(s *suite) {
	s.things("a", "b", "c")
	s.group("g", "", "b", "c")
	s.job("j", jobs.Continuous, thing("a"), thing("b"))
	s.same("queued", s.roll("j", 10), []string{"a", "b"})
	s.swapTo("j", func(j *jobs.Job) { j.Targets = append(slices.Clone(j.Targets), groupOf("g")) })
	s.same("done", s.progress("j").Done, false)
	s.same("queued", s.roll("j", 10), []string{"c"})
	s.counts(jobs.Counts{jobs.Queued: 3})
}

func testJoin(s *suite) {
	s.things("a", "b", "c")
	s.group("top", "", "a")
	s.group("sub", "top")
	s.job("j", jobs.Continuous, groupOf("top"))
	s.same("before the rollout", len(s.join("sub", "b").Queued), 0)
	s.same("rolled out", s.roll("j", 10), []string{"a", "b"})
	s.job("snapshot", jobs.Snapshot, groupOf("top"))
	s.roll("snapshot", 10)

	r := s.join("sub", "c")
	if len(r.Queued) != 1 || r.Queued[0].Thing != "c" || r.Queued[0].Job.ID != "j" || r.Queued[0].Number != 1 {
		s.Fatalf("queued %+v", r.Queued)
	}
	s.same("c", s.pending("c"), []string{"j#1 QUEUED v1"})
	s.same("joining twice", len(s.join("top", "c").Queued), 0)
	s.counts(jobs.Counts{jobs.Queued: 3})
	s.same("notified", s.progress("j").Notified, 2) // only those of the rollout

	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobCanceled, jobs.SweepCancelQueued })
	s.things("d")
	s.same("joining after the end", len(s.join("top", "d").Queued), 0)
}

// testMove moves a thing from a group that a rollout has not reached to one that it has passed.
func testMove(s *suite) {
	s.things("a", "b", "c")
	s.group("g", "", "a")
	s.group("h", "", "b", "c")
	s.job("j", jobs.Continuous, groupOf("g"), groupOf("h"))
	r, err := s.QueueChunk(bg, s.chunk("j", 1))
	s.OK(err)
	s.same("first chunk", r.Things, []string{"a"})
	m, err := s.ChangeMembers(bg, jobs.MemberChange{Things: []string{"c"}, Add: []string{"g"}, Remove: []string{"h"}, Now: s.now})
	s.OK(err)
	s.same("queued by moving", len(m.Queued), 1)
	s.same("the rest", s.roll("j", 10), []string{"b"})
	m, err = s.ChangeMembers(bg, jobs.MemberChange{Things: []string{"a"}, Add: []string{"h"}, Remove: []string{"g"}, Now: s.now})
	s.OK(err)
	s.same("moving later", len(m.Queued)+len(m.Removed), 0)
	s.counts(jobs.Counts{jobs.Queued: 3})
}

func testLeave(s *suite) {
	s.things("a", "b", "c", "d")
	s.group("top", "", "a", "b")
	s.group("sub", "top", "b", "c")
	s.job("j", jobs.Continuous, groupOf("top"), thing("d"))
	s.join("sub", "d")
	s.roll("j", 10)
	s.job("snapshot", jobs.Snapshot, groupOf("top"))
	s.roll("snapshot", 10)
	s.becomes("c", "j", jobs.InProgress)
	s.later(time.Second)
	s.same("b is still in top", len(s.leave("sub", "b").Removed), 0)
	r := s.leave("sub", "c")
	if len(r.Removed) != 2 || r.Removed[0].Status != jobs.Removed || r.Removed[0].Version != 3 || !r.Removed[0].UpdatedAt.Equal(s.now) {
		s.Fatalf("removed %+v", r.Removed)
	}
	s.same("removed too", []any{r.Removed[1].Job.ID, r.Removed[1].Status}, []any{"snapshot", jobs.Removed})
	s.same("c", s.pending("c"), []string(nil))
	s.same("joining again", len(s.join("sub", "c").Queued), 1) // of the continuous job only
	s.same("leaving", len(s.leave("sub", "c").Removed), 1)
	r = s.leave("sub", "d") // d itself is a target of the continuous job
	s.same("removed", []any{len(r.Removed), r.Removed[0].Job.ID}, []any{1, "snapshot"})
	s.same("it leaves again", len(s.leave("sub", "c").Removed), 0)
	s.counts(jobs.Counts{jobs.Queued: 3, jobs.Removed: 1})
	s.becomes("a", "j", jobs.Succeeded)
	s.same("what has ended stays", len(s.leave("top", "a").Removed), 1) // only the snapshot job's is removed
	s.counts(jobs.Counts{jobs.Queued: 2, jobs.Removed: 1, jobs.Succeeded: 1})
}

func testRejoin(s *suite) {
	s.things("a", "b", "c")
	s.group("g", "", "a", "b", "c")
	s.job("j", jobs.Continuous, groupOf("g"))
	s.roll("j", 2) // in chunks of two
	s.becomes("a", "j", jobs.Succeeded)
	s.leave("g", "a", "b")
	s.later(time.Second)
	r := s.join("g", "a", "b")
	if len(r.Queued) != 2 || r.Queued[0].Number != 2 || r.Queued[0].Version != 1 || r.Queued[0].Retry != 0 {
		s.Fatalf("queued %+v", r.Queued)
	}
	s.same("a", s.pending("a"), []string{"j#2 QUEUED v1"})
	s.counts(jobs.Counts{jobs.Queued: 3})
	past, err := s.Execution(bg, "b", "j", 1)
	s.OK(err)
	s.same("b's first", past.Status, jobs.Removed)
	s.reopen()
	s.same("b", s.pending("b"), []string{"j#2 QUEUED v1"})
	s.counts(jobs.Counts{jobs.Queued: 3})
}
