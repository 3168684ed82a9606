package storetest

import (
	"fmt"
	"time"

	"jobgate/gateway/jobs"
)

// fails swaps an execution to a status, with a reason from its device ("": none).
func (s *suite) fails(thing, job string, status jobs.Status, reason string) {
	s.Helper()
	e := s.execution(thing, job)
	next := e
	next.Status, next.Version, next.UpdatedAt = status, e.Version+1, s.now
	if reason != "" {
		next.Details = jobs.NewStatusDetails(map[string]string{"reason": reason, "free": "0"})
	}
	swaps := []jobs.Swap{{Old: e, New: next}}
	s.OK(s.Swap(bg, swaps))
	s.same("applied", swaps[0].Applied, true)
}

// failures lists a job's failures, in pages of two.
func (s *suite) failures(job string, q jobs.FailureQuery) (list []jobs.Execution) {
	s.Helper()
	for page := (jobs.Page{Limit: 2}); ; {
		some, next, err := s.Failures(bg, job, q, page)
		s.OK(err)
		if len(some) > page.Limit {
			s.Fatalf("a page of 2 has %d", len(some))
		}
		list = append(list, some...)
		if page.After = next; next == "" {
			return list
		}
	}
}

func testFailures(s *suite) {
	all := names(9)
	s.things(all...)
	s.group("g", "", all...)
	s.job("other", jobs.Snapshot, groupOf("g"))
	s.roll("other", 10)
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 10)
	s.fails("t00", "other", jobs.Failed, "disk")
	s.later(time.Second)
	s.fails("t00", "j", jobs.Succeeded, "disk")
	s.fails("t01", "j", jobs.Failed, "disk")
	s.fails("t02", "j", jobs.TimedOut, "")
	s.fails("t03", "j", jobs.Rejected, "battery <b>\"\u202e")
	s.fails("t04", "j", jobs.Failed, "disk")
	s.fails("t05", "j", jobs.Failed, "")
	s.fails("t06", "j", jobs.Canceled, "disk")
	f := func(q jobs.FailureQuery, want string) {
		s.Helper()
		text := ""
		for _, e := range s.failures("j", q) {
			text += fmt.Sprintf("%s#%d %s %s, ", e.Thing, e.Number, e.Status, e.Reason())
		}
		s.same(fmt.Sprintf("%+v", q), text, want)
	}
	f(jobs.FailureQuery{}, "t01#1 FAILED disk, t02#1 TIMED_OUT , t03#1 REJECTED battery <b>\"\u202e, t04#1 FAILED disk, t05#1 FAILED , ")
	f(jobs.FailureQuery{Statuses: []jobs.Status{jobs.Failed}}, "t01#1 FAILED disk, t04#1 FAILED disk, t05#1 FAILED , ")
	f(jobs.FailureQuery{Statuses: []jobs.Status{jobs.TimedOut, jobs.Rejected}, ByReason: true}, "t02#1 TIMED_OUT , ")
	f(jobs.FailureQuery{ByReason: true, Reason: "disk"}, "t01#1 FAILED disk, t04#1 FAILED disk, ")
	f(jobs.FailureQuery{ByReason: true, Reason: "dis"}, "")
	e := s.failures("j", jobs.FailureQuery{})[0]
	s.same("details", e.Details.Map(), map[string]string{"reason": "disk", "free": "0"})
	s.same("times", []time.Time{e.QueuedAt, e.UpdatedAt}, []time.Time{start, s.now})

	reasons := func(q jobs.FailureQuery, limit int, want ...jobs.ReasonCount) {
		s.Helper()
		got, err := s.Reasons(bg, "j", q, limit)
		s.OK(err)
		s.same(fmt.Sprintf("reasons of %+v", q), got, want)
	}
	reasons(jobs.FailureQuery{}, 2, jobs.ReasonCount{Status: jobs.Failed, Reason: "disk", Count: 2}, jobs.ReasonCount{Status: jobs.Failed, Count: 1})
	reasons(jobs.FailureQuery{Statuses: []jobs.Status{jobs.Rejected}}, 9, jobs.ReasonCount{Status: jobs.Rejected, Reason: "battery <b>\"\u202e", Count: 1})

	// A thing that tries again is not listed until it fails again.
	s.swapTo("j", func(j *jobs.Job) { j.Selection = jobs.Continuous })
	s.leave("g", "t01")
	s.same("again", len(s.join("g", "t01").Queued), 1)
	f(jobs.FailureQuery{ByReason: true, Reason: "disk"}, "t04#1 FAILED disk, ")
	s.fails("t01", "j", jobs.Failed, "disk")
	s.reopen()
	f(jobs.FailureQuery{ByReason: true, Reason: "disk"}, "t01#2 FAILED disk, t04#1 FAILED disk, ")
	_, err := s.DeleteThing(bg, "t04", 0, s.now) // its execution stays
	s.OK(err)
	f(jobs.FailureQuery{ByReason: true, Reason: "disk"}, "t01#2 FAILED disk, t04#1 FAILED disk, ")

	_, _, err = s.Failures(bg, "none", jobs.FailureQuery{}, jobs.Page{Limit: 1})
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Reasons(bg, "none", jobs.FailureQuery{}, 1)
	s.Is(err, jobs.ErrNotFound)
}
