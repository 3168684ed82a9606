package storetest

import (
	"fmt"
	"time"

	"jobgate/gateway/jobs"
)

func testJobs(s *suite) {
	s.things("a")
	j := jobs.Job{
		ID: "j", Version: 1, Status: jobs.JobScheduled, Selection: jobs.Continuous, Targets: []jobs.Target{thing("a")},
		Description: "d", NamespaceID: "n", TemplateARN: "arn", DocumentSource: "https://b/k",
		DocumentParameters: map[string]string{"k": "v"},
		Presign:            &jobs.PresignedURLConfig{RoleARN: "arn:aws:iam::1:role/r", ExpiresInSec: 60},
		Rollout: &jobs.RolloutConfig{ExponentialRate: &jobs.ExponentialRate{
			BaseRatePerMinute: 5, IncrementFactor: 1.5, RateIncreaseCriteria: jobs.RateIncreaseCriteria{NumberOfSucceededThings: 3},
		}},
		Abort: &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{{
			FailureType: "ALL", Action: "CANCEL", ThresholdPercentage: 12.5, MinNumberOfExecutedThings: 4,
		}}},
		Timeout:    &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 9},
		Retry:      &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: "FAILED", NumberOfRetries: 2}}},
		Scheduling: &jobs.SchedulingConfig{StartTime: "2026-03-02 10:00", MaintenanceWindows: []jobs.MaintenanceWindow{{StartTime: "0 4 * * *", DurationInMinutes: 60}}},
		CreatedAt:  s.now, UpdatedAt: s.now.Add(time.Millisecond),
	}
	made, err := s.CreateJob(bg, jobs.NewJob{Job: j, Document: `{"x":1}`, Tags: []jobs.Tag{{Key: "k", Value: "v"}}})
	s.OK(err)
	j.Row = made.Row
	s.sameJob(made, &j)
	check := func() {
		s.Helper()
		got, err := s.Job(bg, "j")
		s.OK(err)
		s.sameJob(got, &j)
		document, err := s.JobDocument(bg, "j")
		s.OK(err)
		s.same("document", document, `{"x":1}`)
		tags, err := s.Tags(bg, jobs.Resource{Kind: jobs.KindJob, Name: "j"})
		s.OK(err)
		s.same("tags", tags, []jobs.Tag{{Key: "k", Value: "v"}})
		s.same("progress", s.progress("j"), jobs.Progress{})
	}
	check()
	s.reopen()
	check()

	_, err = s.CreateJob(bg, jobs.NewJob{Job: j})
	s.Is(err, jobs.ErrAlreadyExists)
	_, err = s.Job(bg, "J")
	s.Is(err, jobs.ErrNotFound)
	_, err = s.JobDocument(bg, "J")
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Progress(bg, "J")
	s.Is(err, jobs.ErrNotFound)
}

// sameJob compares jobs through their pointers.
func (s *suite) sameJob(got, want *jobs.Job) {
	s.Helper()
	f := func(j *jobs.Job) string {
		flat := *j
		flat.Presign, flat.Rollout, flat.Abort, flat.Timeout, flat.Retry, flat.Scheduling = nil, nil, nil, nil, nil, nil
		text := fmt.Sprintf("%+v", flat)
		if j.Presign != nil {
			text += fmt.Sprintf("%+v %+v %+v %+v %+v %+v", *j.Presign, *j.Rollout.ExponentialRate, *j.Abort, *j.Timeout, *j.Retry, *j.Scheduling)
		}
		return text
	}
	s.same("job "+want.ID, f(got), f(want))
}

func testJobTargets(s *suite) {
	s.things("a")
	s.group("g", "")
	for _, target := range []jobs.Target{thing("b"), groupOf("h"), groupOf("a"), thing("g")} {
		_, err := s.CreateJob(bg, jobs.NewJob{Job: jobs.Job{
			ID: "j", Version: 1, Status: jobs.JobInProgress, Selection: jobs.Snapshot, Targets: []jobs.Target{thing("a"), target},
		}})
		s.Is(err, jobs.ErrNotFound)
		_, err = s.Job(bg, "j")
		s.Is(err, jobs.ErrNotFound)
	}
}

func testSwapJob(s *suite) {
	s.things("a", "b")
	s.job("j", jobs.Continuous, thing("a"))
	j := s.swapTo("j", func(j *jobs.Job) { j.Description = "new" })
	s.same("version", j.Version, 2)
	got, err := s.Job(bg, "j")
	s.OK(err)
	s.sameJob(got, j)

	_, err = s.SwapJob(bg, *j) // its version is the stored one
	s.Is(err, jobs.ErrVersionConflict)
	next := *j
	next.Version += 2
	_, err = s.SwapJob(bg, next)
	s.Is(err, jobs.ErrVersionConflict)
	next.Version, next.Targets = j.Version+1, []jobs.Target{thing("b")}
	_, err = s.SwapJob(bg, next)
	s.Is(err, jobs.ErrInvalidRequest)
	next.ID = "k"
	_, err = s.SwapJob(bg, next)
	s.Is(err, jobs.ErrNotFound)

	active := func(want ...string) {
		s.Helper()
		list, err := s.ActiveJobs(bg)
		s.OK(err)
		var ids []string
		for _, j := range list {
			ids = append(ids, j.ID)
		}
		s.same("active", ids, want)
	}
	s.job("k", jobs.Snapshot, thing("a"))
	active("j", "k")
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobCanceled, jobs.SweepCancelAll })
	active("j", "k")
	s.swapTo("j", func(j *jobs.Job) { j.Sweep = jobs.SweepNone })
	active("k")
	s.swapTo("k", func(j *jobs.Job) { j.Status = jobs.JobCompleted })
	active()
	s.reopen()
	active()
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobDeleting, jobs.SweepDelete })
	active("j")
}

func testListJobs(s *suite) {
	s.things("a")
	s.group("g", "")
	s.group("h", "")
	make := func(id string, status jobs.JobStatus, selection jobs.Selection, namespace string, target jobs.Target) {
		s.Helper()
		_, err := s.CreateJob(bg, jobs.NewJob{Job: jobs.Job{
			ID: id, Version: 1, Status: status, Selection: selection, NamespaceID: namespace, Targets: []jobs.Target{thing("a"), target},
		}})
		s.OK(err)
	}
	make("1", jobs.JobInProgress, jobs.Snapshot, "", groupOf("g"))
	make("2", jobs.JobCompleted, jobs.Snapshot, "n", groupOf("h"))
	make("3", jobs.JobInProgress, jobs.Continuous, "n", groupOf("g"))
	make("4", jobs.JobScheduled, jobs.Continuous, "", groupOf("h"))
	f := func(q jobs.JobQuery, want ...string) {
		s.Helper()
		var ids []string
		for page := (jobs.Page{Limit: 1}); ; {
			list, next, err := s.Jobs(bg, q, page)
			s.OK(err)
			for _, j := range list {
				ids = append(ids, j.Job.ID)
			}
			if page.After = next; next == "" {
				break
			}
		}
		s.same(fmt.Sprintf("%+v", q), ids, want)
	}
	f(jobs.JobQuery{}, "4", "3", "2", "1")
	f(jobs.JobQuery{Status: jobs.JobInProgress}, "3", "1")
	f(jobs.JobQuery{Selection: jobs.Snapshot}, "2", "1")
	f(jobs.JobQuery{NamespaceID: "n"}, "3", "2")
	f(jobs.JobQuery{GroupName: "g"}, "3", "1")
	f(jobs.JobQuery{GroupID: "id-h"}, "4", "2")
	f(jobs.JobQuery{GroupName: "g", Selection: jobs.Continuous}, "3")
	f(jobs.JobQuery{GroupName: "nowhere"})
}
