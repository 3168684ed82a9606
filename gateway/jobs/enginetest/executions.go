package enginetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"jobgate/gateway/jobs/engine"
)

// Statuses, by number. To the engine, they differ only in whether an execution has ended.
const (
	waits uint8 = iota
	runs
	ended
	failed
)

func testApply(s *suite) {
	ids := s.things("a", "b")
	job := s.job("j")
	s.queue(job, ids...)
	x := s.execution("a", "j")
	s.same("as queued", []any{x.Job, x.Thing, x.Number, x.Version, x.Status, x.Of.ID, x.Name}, []any{job, ids[0], int64(1), int64(1), waits, "j", "a"})
	full := becomes(x, runs)
	full.New.Forced, full.New.Retry, full.New.RetryTimedOut = true, 3, 2
	full.New.Started, full.New.Updated, full.New.Deadline, full.New.Step = 5, 6, 1<<41, 8
	full.New.Details = `{"step":"<é>\"'"}`
	s.same("applied", s.apply(full), true)
	got := s.execution("a", "j")
	want := full.New
	want.Queued, want.Retry, want.RetryTimedOut = x.Queued, got.Retry, got.RetryTimedOut // constant during an attempt
	want.Name, want.Of, want.Reason = "a", got.Of, got.Reason
	s.same("every column", got, want)
	s.same("an old version", s.apply(becomes(x, ended)), false)
	s.counts(engine.Counts{waits: 1, runs: 1})

	other := becomes(got, ended)
	other.Number++
	s.same("another number", s.apply(other), false)
	other = becomes(got, ended)
	other.Job++
	s.same("another job", s.apply(other), false)
	versioned := becomes(got, ended)
	versioned.JobVersion = 2
	s.same("another version of the job", s.apply(versioned), false)
	versioned.JobVersion = 1
	s.same("the job's version", s.apply(versioned), true)
	s.counts(engine.Counts{waits: 1, ended: 1})
	totals, err := s.Totals(bg)
	s.OK(err)
	s.same("totals", totals, engine.Counts{waits: 1, ended: 1})

	s.update(func(t engine.Tx) { // an insertion finds an existing row
		changes := []engine.Change{queued(job, ids[0])}
		s.OK(t.Apply(changes))
		if changes[0].Applied || changes[0].Found == nil || changes[0].Found.Version != 3 {
			s.Fatalf("inserted over a row: %+v", changes[0])
		}
		rows, err := t.Executions([]engine.Key{{Job: job, Thing: ids[1]}, {Job: job, Thing: 999}})
		s.OK(err)
		s.same("rows", len(rows), 1)
	})
}

// testApplyTogether makes many goroutines change the same executions. For each version, exactly one change must be applied,
// and the counts must add up.
func testApplyTogether(s *suite) {
	const things, workers, rounds = 3, 8, 20
	all := numbered(things)
	ids := s.things(all...)
	job := s.job("j")
	s.queue(job, ids...)
	var applied atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range rounds {
				x, err := s.Execution(bg, all[i%things], "j")
				changes := []engine.Change{becomes(x, runs)}
				if err == nil {
					err = s.Apply(bg, changes)
				}
				if err != nil {
					s.Error(err)
				} else if changes[0].Applied {
					applied.Add(1)
				}
			}
		})
	}
	wg.Wait()
	versions := int64(0)
	for _, name := range all {
		versions += s.execution(name, "j").Version - 1
	}
	s.same("version increments", versions, applied.Load())
	s.counts(engine.Counts{runs: things})
}

func testAttempts(s *suite) {
	ids := s.things("a")
	job := s.job("j")
	s.queue(job, ids...)
	c := becomes(s.execution("a", "j"), failed)
	past := c.New
	c.Past, c.New = &past, engine.Execution{Number: 2, Version: 1, Queued: 9, Retry: 1}
	s.same("applied", s.apply(c), true)
	x := s.execution("a", "j")
	s.same("the next attempt", []any{x.Number, x.Version, x.Status, x.Retry}, []any{int64(2), int64(1), waits, 1})
	s.counts(engine.Counts{waits: 1})
	key := engine.Key{Job: job, Thing: ids[0]}
	attempts := func() (list []engine.Execution) {
		s.view(func(r engine.Reader) {
			var err error
			list, err = r.Attempts(key)
			s.OK(err)
		})
		return list
	}
	s.same("attempts", []any{len(attempts()), attempts()[0].Number, attempts()[0].Status}, []any{1, int64(1), failed})

	s.update(func(t engine.Tx) { // restore the previous attempt
		before := attempts0(s, t, key)
		n, err := t.DeleteAttempts([]engine.AttemptKey{{Key: key, Number: 1}})
		s.OK(err)
		s.same("deleted", n, 1)
		changes := []engine.Change{{Key: key, Number: 2, Version: 1, Status: waits, New: before}}
		s.OK(t.Apply(changes))
		s.same("applied", changes[0].Applied, true)
	})
	s.same("number", s.execution("a", "j").Number, int64(1))
	s.counts(engine.Counts{failed: 1})
	s.update(func(t engine.Tx) {
		x := s.latest(t, key)
		x.Version++
		n, err := t.DeleteExecutions([]engine.Execution{x})
		s.OK(err)
		s.same("another version deleted", n, 0)
		x.Version--
		n, err = t.DeleteExecutions([]engine.Execution{x})
		s.OK(err)
		s.same("deleted", n, 1)
	})
	s.counts(engine.Counts{})
	_, err := s.Execution(bg, "a", "j")
	s.Is(err, engine.ErrNotFound)
}

func attempts0(s *suite, r engine.Reader, k engine.Key) engine.Execution {
	list, err := r.Attempts(k)
	s.OK(err)
	return list[0]
}

func (s *suite) latest(r engine.Reader, k engine.Key) engine.Execution {
	rows, err := r.Executions([]engine.Key{k})
	s.OK(err)
	s.same("rows", len(rows), 1)
	return rows[0]
}

func testPending(s *suite) {
	ids := s.things("a", "b")
	one, two := s.job("one"), s.job("two")
	s.queue(one, ids...)
	s.queue(two, ids[0])
	pending := func(thing string) map[string]uint8 {
		list, err := s.Pending(bg, make([]engine.Execution, 1, 4), thing)
		s.OK(err)
		got := make(map[string]uint8)
		for _, x := range list[1:] {
			got[x.Of.ID] = x.Status
		}
		return got
	}
	s.same("pending of a", pending("a"), map[string]uint8{"one": waits, "two": waits})
	s.apply(becomes(s.execution("a", "one"), runs))
	s.apply(becomes(s.execution("a", "two"), ended))
	s.same("pending of a", pending("a"), map[string]uint8{"one": runs})
	s.same("pending of b", pending("b"), map[string]uint8{"one": waits})
	_, err := s.Pending(bg, nil, "nobody")
	s.Is(err, engine.ErrNotFound)
	s.update(func(t engine.Tx) {
		s.OK(t.PutJob(&engine.Job{Seq: one, ID: "one", Version: 2, Status: 4, Record: "{}"}, nil))
	})
	list, err := s.Pending(bg, nil, "b")
	s.OK(err)
	s.same("the job of a pending execution", []any{list[0].Of.Version, list[0].Of.Record}, []any{int64(2), "{}"})
	s.view(func(r engine.Reader) {
		list, err := r.PendingOf(ids)
		s.OK(err)
		s.same("of both, with names", names(list, func(x engine.Execution) string { return x.Of.ID + x.Name }) != "", true)
		s.same("of both", len(list), 2)
	})
}

func testListings(s *suite) {
	ids := s.things(numbered(5)...)
	one, two := s.job("one"), s.job("two")
	s.queue(one, ids...)
	s.queue(two, ids[1])
	s.apply(becomes(s.execution("t001", "one"), ended))
	s.apply(becomes(s.execution("t003", "one"), failed))
	s.view(func(r engine.Reader) {
		ofJob := func(q engine.ExecutionQuery, after int64, limit int) string {
			list, err := r.ListOfJob(one, q, after, limit)
			s.OK(err)
			return names(list, func(x engine.Execution) string { return x.Name })
		}
		s.same("of a job", ofJob(engine.ExecutionQuery{}, 0, 9), "t000 t001 t002 t003 t004")
		s.same("a page", ofJob(engine.ExecutionQuery{}, ids[1], 2), "t002 t003")
		s.same("by status", ofJob(engine.ExecutionQuery{Statuses: engine.SetOf(ended, failed)}, 0, 9), "t001 t003")
		ofThing := func(q engine.ExecutionQuery, before engine.AttemptKey) string {
			list, err := r.ListOfThing(ids[1], q, before, 9)
			s.OK(err)
			return names(list, func(x engine.Execution) string { return fmt.Sprint(x.Of.ID, x.Status) })
		}
		s.same("of a thing", ofThing(engine.ExecutionQuery{}, engine.AttemptKey{}), "two0 one2")
		s.same("a page", ofThing(engine.ExecutionQuery{}, engine.AttemptKey{Key: engine.Key{Job: two}, Number: 1}), "one2")
		s.same("of a thing and a job", ofThing(engine.ExecutionQuery{JobID: "two"}, engine.AttemptKey{}), "two0")
		s.same("by status", ofThing(engine.ExecutionQuery{Statuses: engine.SetOf(ended)}, engine.AttemptKey{}), "one2")
	})
}

func testEnded(s *suite) {
	ids := s.things(numbered(5)...)
	job := s.job("j")
	s.queue(job, ids...)
	end := func(thing string, status uint8, reason string) {
		c := becomes(s.execution(thing, "j"), status)
		c.New.Reason = reason
		s.same("applied", s.apply(c), true)
	}
	end("t001", ended, "")
	end("t002", failed, "disk")
	end("t003", failed, "disk")
	end("t004", failed, "power")
	renew := becomes(s.execution("t003", "j"), waits) // superseded: not listed any more
	past := s.execution("t003", "j")
	renew.Past, renew.New = &past, engine.Execution{Number: 2, Version: 1}
	s.same("renewed", s.apply(renew), true)
	s.view(func(r engine.Reader) {
		f := func(what string, q engine.EndedQuery, want string) {
			s.Helper()
			q.Job, q.Limit = job, max(q.Limit, 1)*3/2+1
			list, err := r.Ended(q)
			s.OK(err)
			s.same(what, names(list, func(e engine.Ended) string { return fmt.Sprintf("%s#%d:%d%s", e.Name, e.Number, e.Status, e.Reason) }), want)
		}
		f("all", engine.EndedQuery{Limit: 9}, "t001#1:2 t002#1:3disk t004#1:3power")
		f("failed", engine.EndedQuery{Statuses: engine.SetOf(failed), Limit: 9}, "t002#1:3disk t004#1:3power")
		f("by reason", engine.EndedQuery{ByReason: true, Reason: "power", Limit: 9}, "t004#1:3power")
		f("a page", engine.EndedQuery{After: ids[1]}, "t002#1:3disk t004#1:3power")
		reasons, err := r.Reasons(engine.EndedQuery{Job: job, Statuses: engine.SetOf(failed), Limit: 9})
		s.OK(err)
		s.same("reasons", reasons, []engine.ReasonCount{{Status: failed, Reason: "disk", Count: 1}, {Status: failed, Reason: "power", Count: 1}})
		reasons, err = r.Reasons(engine.EndedQuery{Job: job, ByReason: true, Reason: "power", Limit: 9})
		s.OK(err)
		s.same("of one reason", reasons, []engine.ReasonCount{{Status: failed, Reason: "power", Count: 1}})
		reasons, err = r.Reasons(engine.EndedQuery{Job: job, ByReason: true, Limit: 9})
		s.OK(err)
		s.same("without a reason", reasons, []engine.ReasonCount{{Status: ended, Count: 1}})
		reasons, err = r.Reasons(engine.EndedQuery{Job: job, Limit: 1})
		s.OK(err)
		s.same("the first", len(reasons), 1)
	})
	testReasonsFollow(s, job, ids)
}

// testReasonsFollow ends executions again, restores earlier attempts and deletes executions, and checks the sums of reasons
// after each.
func testReasonsFollow(s *suite, job int64, ids []int64) {
	count := func(what string, want ...engine.ReasonCount) {
		s.Helper()
		s.view(func(r engine.Reader) {
			got, err := r.Reasons(engine.EndedQuery{Job: job, Statuses: engine.SetOf(failed), Limit: 9})
			s.OK(err)
			s.same(what, got, want)
		})
	}
	sum := func(reason string, n int64) engine.ReasonCount {
		return engine.ReasonCount{Status: failed, Reason: reason, Count: n}
	}
	c := becomes(s.execution("t003", "j"), failed)
	s.same("without a reason", s.apply(c), true)
	count("without a reason", sum("", 1), sum("disk", 1), sum("power", 1))

	key := engine.Key{Job: job, Thing: ids[3]}
	s.update(func(t engine.Tx) { // restore the previous attempt, as undoing a retry does
		before := attempts0(s, t, key)
		_, err := t.DeleteAttempts([]engine.AttemptKey{{Key: key, Number: 1}})
		s.OK(err)
		now := s.latest(t, key)
		changes := []engine.Change{{Key: key, Number: now.Number, Version: now.Version, Status: now.Status, New: before}}
		s.OK(t.Apply(changes))
		s.same("applied", changes[0].Applied, true)
	})
	count("restored", sum("disk", 2), sum("power", 1))

	x := s.execution("t004", "j")
	c = becomes(x, waits)
	c.Past, c.New = &x, engine.Execution{Number: 2, Version: 1}
	s.same("renewed", s.apply(c), true)
	count("renewed", sum("disk", 2))
	c = becomes(s.execution("t004", "j"), failed)
	c.New.Reason = "power"
	s.same("failed again", s.apply(c), true)
	s.update(func(t engine.Tx) {
		_, err := t.DeleteAttempts([]engine.AttemptKey{{Key: engine.Key{Job: job, Thing: ids[4]}}})
		s.OK(err)
	})
	count("without attempts", sum("disk", 2), sum("power", 1))
	s.update(func(t engine.Tx) {
		n, err := t.DeleteExecutions([]engine.Execution{s.latest(t, key)})
		s.OK(err)
		s.same("deleted", n, 1)
	})
	count("deleted", sum("disk", 1), sum("power", 1))
	s.update(func(t engine.Tx) { // insert an execution that has failed already
		c := queued(job, ids[3])
		c.New.Status, c.New.Reason = failed, "disk"
		changes := []engine.Change{c}
		s.OK(t.Apply(changes))
		s.same("applied", changes[0].Applied, true)
	})
	count("inserted", sum("disk", 2), sum("power", 1))
}

func testDue(s *suite) {
	all := numbered(5)
	ids := s.things(all...)
	s.queue(s.job("j"), ids...)
	for i, name := range all[1:] {
		c := becomes(s.execution(name, "j"), runs)
		c.New.Deadline = int64(i+1) * 60_000
		if i == 3 {
			c.New.Step = 30_000
		}
		s.same("applied", s.apply(c), true)
	}
	due := func(now int64, limit int) string {
		list, _, err := s.Due(bg, now, limit)
		s.OK(err)
		return names(list, func(x engine.Execution) string { return x.Name + x.Of.ID })
	}
	end := func(thing string) { s.same("ended", s.apply(becomes(s.execution(thing, "j"), ended)), true) }
	_, next, err := s.Due(bg, 29_999, 9)
	s.OK(err)
	s.same("the first timer", next, int64(30_000))
	s.same("at 30 s", due(30_000, 9), "t004j")
	end("t004")
	later := becomes(s.execution("t001", "j"), runs)
	later.New.Deadline = 150_000
	s.same("applied", s.apply(later), true)
	s.same("at 121 s", due(121_000, 9), "t002j")
	end("t002")
	s.same("at 300 s, one", due(300_000, 1), "t001j")
	end("t001")
	s.same("at 300 s, the other", due(300_000, 1), "t003j")
	end("t003")
	list, next, err := s.Due(bg, 1<<40, 9)
	s.OK(err)
	s.same("none left", []any{len(list), next}, []any{0, int64(0)})
}
