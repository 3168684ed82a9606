package storetest

import (
	"fmt"
	"slices"
	"time"

	"jobgate/gateway/jobs"
)

func testListExecutions(s *suite) {
	all := names(7)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 10)
	s.becomes("t02", "j", jobs.Succeeded)
	s.becomes("t05", "j", jobs.Succeeded)
	f := func(q jobs.ExecutionQuery, want ...string) {
		s.Helper()
		var got []string
		for page := (jobs.Page{Limit: 3}); ; {
			list, next, err := s.OfJob(bg, "j", q, page)
			s.OK(err)
			for _, e := range list {
				got = append(got, e.Thing)
			}
			if page.After = next; next == "" {
				break
			}
		}
		slices.Sort(got)
		s.same(fmt.Sprintf("%+v", q), got, want)
	}
	f(jobs.ExecutionQuery{}, all...)
	f(jobs.ExecutionQuery{ByStatus: true, Status: jobs.Succeeded}, "t02", "t05")
	f(jobs.ExecutionQuery{ByStatus: true}, "t00", "t01", "t03", "t04", "t06")
	_, _, err := s.OfJob(bg, "k", jobs.ExecutionQuery{}, jobs.Page{Limit: 1})
	s.Is(err, jobs.ErrNotFound)
	testOfThing(s)
}

func testOfThing(s *suite) {
	for _, id := range []string{"k", "l"} {
		_, err := s.CreateJob(bg, jobs.NewJob{Job: jobs.Job{
			ID: id, Version: 1, Status: jobs.JobInProgress, Selection: jobs.Continuous, NamespaceID: "in-" + id,
			Targets: []jobs.Target{groupOf("g")},
		}})
		s.OK(err)
		s.roll(id, 10)
	}
	s.leave("g", "t02")
	s.join("g", "t02") // k and l have two attempts now
	s.becomes("t02", "l", jobs.Failed)
	f := func(q jobs.ExecutionQuery, want ...string) {
		s.Helper()
		var got []string
		for page := (jobs.Page{Limit: 2}); ; {
			list, next, err := s.OfThing(bg, "t02", q, page)
			s.OK(err)
			for _, e := range list {
				got = append(got, fmt.Sprintf("%s#%d %s", e.Job.ID, e.Number, e.Status))
			}
			if page.After = next; next == "" {
				break
			}
		}
		s.same(fmt.Sprintf("%+v", q), got, want)
	}
	f(jobs.ExecutionQuery{}, "l#2 FAILED", "l#1 REMOVED", "k#2 QUEUED", "k#1 REMOVED", "j#1 SUCCEEDED")
	f(jobs.ExecutionQuery{ByStatus: true, Status: jobs.Removed}, "l#1 REMOVED", "k#1 REMOVED")
	f(jobs.ExecutionQuery{JobID: "k"}, "k#2 QUEUED", "k#1 REMOVED")
	f(jobs.ExecutionQuery{NamespaceID: "in-l"}, "l#2 FAILED", "l#1 REMOVED")
	_, _, err := s.OfThing(bg, "nobody", jobs.ExecutionQuery{}, jobs.Page{Limit: 1})
	s.Is(err, jobs.ErrNotFound)
}

func testDeleteExecution(s *suite) {
	s.things("a", "b")
	s.group("g", "", "a", "b")
	s.job("j", jobs.Continuous, groupOf("g"))
	s.roll("j", 10)
	s.leave("g", "a")
	s.join("g", "a") // a has attempts 1 and 2
	first, err := s.Execution(bg, "a", "j", 1)
	s.OK(err)
	second := s.execution("a", "j")

	stale := second
	stale.Version++
	s.Is(s.DeleteExecution(bg, stale), jobs.ErrVersionConflict)
	s.OK(s.DeleteExecution(bg, second))
	s.same("pending", s.pending("a"), []string(nil))
	s.same("the latest", s.execution("a", "j").Number, 1)
	s.counts(jobs.Counts{jobs.Queued: 1, jobs.Removed: 1})
	s.OK(s.DeleteExecution(bg, first))
	_, err = s.Execution(bg, "a", "j", 0)
	s.Is(err, jobs.ErrNotFound)
	s.Is(s.DeleteExecution(bg, first), jobs.ErrNotFound)
	s.counts(jobs.Counts{jobs.Queued: 1})

	s.leave("g", "b")
	s.join("g", "b")
	past, err := s.Execution(bg, "b", "j", 1)
	s.OK(err)
	s.OK(s.DeleteExecution(bg, past))
	_, err = s.Execution(bg, "b", "j", 1)
	s.Is(err, jobs.ErrNotFound)
	s.same("the latest stays", s.execution("b", "j").Number, 2)
	s.counts(jobs.Counts{jobs.Queued: 1})
	s.reopen()
	s.counts(jobs.Counts{jobs.Queued: 1})
}

func testDue(s *suite) {
	all := names(6)
	s.things(all...)
	s.group("g", "", all...)
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 10)
	// t00 has no timer, t01 to t04 have one each, t05 has both.
	for i, name := range all[1:] {
		e := s.execution(name, "j")
		next := e
		next.Status, next.Version = jobs.InProgress, 2
		next.Deadline = s.now.Add(time.Duration(i+1) * time.Minute)
		if name == "t05" {
			next.StepDeadline = s.now.Add(90 * time.Second)
		}
		s.OK(s.Swap(bg, []jobs.Swap{{Old: e, New: next}}))
	}
	due := func(at time.Duration, limit int) (list []string) {
		s.Helper()
		executions, next, err := s.Due(bg, s.now.Add(at), limit)
		s.OK(err)
		for _, e := range executions {
			list = append(list, e.Thing)
		}
		if len(list) < limit && next.IsZero() {
			s.Fatal("no next timer")
		}
		return list
	}
	s.same("at 59 s", due(59*time.Second, 10), []string(nil))
	s.same("at 60 s", due(time.Minute, 10), []string{"t01"})
	s.becomes("t01", "j", jobs.TimedOut)
	s.same("at 95 s", due(95*time.Second, 10), []string{"t05"})
	s.becomes("t05", "j", jobs.TimedOut)

	// t02 gets more time, t03 less. Timers survive a restart.
	more := s.execution("t02", "j")
	next := more
	next.Version, next.Deadline = 3, s.now.Add(time.Hour)
	s.OK(s.Swap(bg, []jobs.Swap{{Old: more, New: next}}))
	less := s.execution("t03", "j")
	next = less
	next.Version, next.StepDeadline = 3, s.now.Add(110*time.Second)
	s.OK(s.Swap(bg, []jobs.Swap{{Old: less, New: next}}))
	s.same("at 111 s", due(111*time.Second, 10), []string{"t03"})
	s.reopen()
	s.same("at 10 min", due(10*time.Minute, 10), []string{"t03", "t04"})
	s.reopen()
	for _, name := range []string{"t03", "t04", "t02"} {
		s.same("at 2 h, one at a time", due(2*time.Hour, 1), []string{name})
		s.becomes(name, "j", jobs.Succeeded)
	}
	executions, at, err := s.Due(bg, s.now.Add(24*time.Hour), 10)
	s.OK(err)
	s.same("in the end", []any{len(executions), at}, []any{0, time.Time{}})
}
