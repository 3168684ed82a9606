package enginetest

import "jobgate/gateway/jobs/engine"

func testJobs(s *suite) {
	ids := s.things("a", "b")
	group := s.group("g", 0, ids...)
	j := &engine.Job{
		ID: "j", Version: 3, Status: 1, Selection: 2, Sweep: 1, Namespace: "n", Active: true, Created: 5, Ended: 6, Record: `{"é":"'"}`,
	}
	targets := []engine.Target{{ID: ids[1]}, {Group: true, ID: group}, {ID: ids[0]}}
	s.update(func(t engine.Tx) {
		again := copyOf(j)
		s.OK(t.InsertJob(again, targets))
		j.Seq, j.Serial = again.Seq, again.Serial
	})
	got, err := s.Job(bg, "j")
	s.OK(err)
	s.same("row", row(got.Job), row(j))
	s.same("progress", got.Progress, engine.Progress{})
	_, err = s.Job(bg, "J")
	s.Is(err, engine.ErrNotFound)
	err = s.Update(bg, engine.Work{}, func(t engine.Tx) error { return t.InsertJob(&engine.Job{ID: "j", Version: 1}, nil) })
	s.Is(err, engine.ErrExists)

	p := engine.Progress{
		Counts: engine.Counts{7}, Notified: 1, Chunks: 2, Started: true, Done: true, Swept: true, Pace: 3, Target: 4, AtGroup: 5, AtThing: 6, SweepThing: 7,
	}
	next := copyOf(j)
	next.Version, next.Active, next.Record = 4, false, "{}"
	s.queue(j.Seq, ids[0])
	s.update(func(t engine.Tx) {
		s.OK(t.PutJob(next, []engine.Target{{ID: ids[0]}}))
		s.OK(t.PutProgress(j.Seq, &p))
		state, err := t.Job("j")
		s.OK(err)
		s.same("targets", state.Targets, append(targets, engine.Target{ID: ids[0]}))
	})
	got, err = s.Job(bg, "j")
	s.OK(err)
	p.Counts = engine.Counts{1} // PutProgress does not set the counts
	s.same("progress", got.Progress, p)
	s.same("row", row(got.Job), row(next))
	s.update(func(t engine.Tx) {
		_, err := t.DeleteExecutions([]engine.Execution{{Job: j.Seq, Thing: ids[0], Number: 1, Version: 1}})
		s.OK(err)
		s.OK(t.DeleteJob(j.Seq))
	})
	_, err = s.Job(bg, "j")
	s.Is(err, engine.ErrNotFound)
	if seq := s.job("j"); seq <= j.Seq {
		s.Fatalf("Seq %d after %d, want a higher one", seq, j.Seq)
	}
}

// copyOf returns a copy of j's row.
func copyOf(j *engine.Job) *engine.Job {
	return &engine.Job{
		Seq: j.Seq, ID: j.ID, Version: j.Version, Status: j.Status, Selection: j.Selection, Sweep: j.Sweep, Namespace: j.Namespace,
		Active: j.Active, Created: j.Created, Ended: j.Ended, Serial: j.Serial, Record: j.Record,
	}
}

// row returns the stored fields of a job, for comparison.
func row(j *engine.Job) []any {
	return []any{j.Seq, j.ID, j.Version, j.Status, j.Selection, j.Sweep, j.Namespace, j.Active, j.Created, j.Ended, j.Serial, j.Record}
}

func testListJobs(s *suite) {
	one, two := s.group("g", 0), s.group("h", 0)
	put := func(j *engine.Job, target int64) int64 {
		s.update(func(t engine.Tx) {
			inserted := copyOf(j)
			s.OK(t.InsertJob(inserted, []engine.Target{{Group: true, ID: target}}))
			j.Seq = inserted.Seq
		})
		return j.Seq
	}
	put(&engine.Job{ID: "1", Version: 1, Status: 2, Selection: 1, Active: true}, one)
	put(&engine.Job{ID: "2", Version: 1, Status: 3, Selection: 1, Namespace: "n", Ended: 50}, two)
	third := put(&engine.Job{ID: "3", Version: 1, Status: 2, Selection: 2, Namespace: "n", Active: true}, one)
	put(&engine.Job{ID: "4", Version: 1, Status: 1, Selection: 2, Ended: 90}, two)
	s.view(func(r engine.Reader) {
		f := func(q engine.JobQuery, before int64, limit int, want string) {
			s.Helper()
			list, err := r.ListJobs(q, before, limit)
			s.OK(err)
			s.same("jobs", names(list, func(s engine.State) string { return s.Job.ID }), want)
		}
		f(engine.JobQuery{}, 0, 9, "4 3 2 1")
		f(engine.JobQuery{}, third, 1, "2")
		f(engine.JobQuery{Active: true}, 0, 9, "3 1")
		f(engine.JobQuery{Status: 2}, 0, 9, "3 1")
		f(engine.JobQuery{Selection: 1}, 0, 9, "2 1")
		f(engine.JobQuery{Namespace: "n"}, 0, 9, "3 2")
		f(engine.JobQuery{GroupName: "g"}, 0, 9, "3 1")
		f(engine.JobQuery{GroupUUID: "uuid-h"}, 0, 9, "4 2")
		f(engine.JobQuery{EndedBefore: 90}, 0, 9, "2")
		list, err := r.Targeting(engine.TargetQuery{Groups: []int64{two, one, one}, Selection: 2, Statuses: engine.SetOf(1, 2)})
		s.OK(err)
		s.same("targeting", names(list, func(s engine.State) string { return s.Job.ID }), "3 4")
		s.same("targets of the first", list[0].Targets, []engine.Target{{Group: true, ID: one}})
	})
}
