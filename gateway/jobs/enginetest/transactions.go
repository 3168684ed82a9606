package enginetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"jobgate/gateway/jobs/engine"
)

// testRollback makes a transaction fail after it has written to every table. Nothing of it may remain.
func testRollback(s *suite) {
	ids := s.things("a", "b")
	job := s.job("j", engine.Target{ID: ids[0]})
	s.queue(job, ids[0])
	failed := errors.New("at the end")
	everything := func(t engine.Tx) {
		x := s.latest(t, engine.Key{Job: job, Thing: ids[0]})
		s.OK(t.PutThings([]engine.Thing{{Name: "c", UUID: "u", Version: 1}, {ID: ids[1], Name: "b", UUID: "u", Version: 9, Deleted: true}}))
		groups := []engine.Group{{Name: "g", UUID: "u", Version: 1}}
		s.OK(t.PutGroups(groups))
		_, err := t.MoveMembers(membersOf(groups[0].ID, ids...), nil)
		s.OK(err)
		s.OK(t.InsertJob(&engine.Job{ID: "k", Version: 1, Active: true}, nil))
		s.OK(t.PutJob(&engine.Job{Seq: job, ID: "j", Version: 2, Record: "{}"}, []engine.Target{{ID: ids[1]}}))
		s.OK(t.PutProgress(job, &engine.Progress{Chunks: 5}))
		s.OK(t.Apply([]engine.Change{becomes(x, ended), queued(job, ids[1])}))
		s.OK(t.PutValues([]engine.Value{{Space: "x", Key: "k", Value: []byte("v")}}))
	}
	err := s.Update(bg, engine.Work{}, func(t engine.Tx) error {
		if err := s.Inside(func() { everything(t) }); err != nil {
			return err
		}
		return failed
	})
	s.Is(err, failed)
	state, err := s.Job(bg, "j")
	s.OK(err)
	s.same("job", []any{state.Job.Version, state.Progress}, []any{int64(1), engine.Progress{Counts: engine.Counts{waits: 1}}})
	_, err = s.Job(bg, "k")
	s.Is(err, engine.ErrNotFound)
	s.same("execution", s.execution("a", "j").Version, int64(1))
	list, err := s.Pending(bg, nil, "b")
	s.same("pending of b", []any{len(list), err}, []any{0, nil})
	_, err = s.Pending(bg, nil, "c")
	s.Is(err, engine.ErrNotFound)
	s.view(func(r engine.Reader) {
		groups, err := r.Groups([]string{"g"})
		s.OK(err)
		values, err := r.Values("x", []string{"k"})
		s.OK(err)
		s.same("groups and values after the rollback", []int{len(groups), len(values)}, []int{0, 0})
	})
	totals, err := s.Totals(bg)
	s.OK(err)
	s.same("totals", totals, engine.Counts{waits: 1})
}

// testOwnWrites checks that a transaction reads its own writes, including counts.
func testOwnWrites(s *suite) {
	ids := s.things("a", "b")
	s.update(func(t engine.Tx) {
		j := &engine.Job{ID: "j", Version: 1, Status: 2, Active: true, Record: "{}"}
		s.OK(t.InsertJob(j, nil))
		s.OK(t.Apply([]engine.Change{queued(j.Seq, ids[0]), queued(j.Seq, ids[1])}))
		s.OK(t.Apply([]engine.Change{becomes(s.latest(t, engine.Key{Job: j.Seq, Thing: ids[0]}), ended)}))
		state, err := t.Job("j")
		s.OK(err)
		s.same("counts", state.Progress.Counts, engine.Counts{waits: 1, ended: 1})
		pending, err := t.PendingOf(ids)
		s.OK(err)
		s.same("pending", names(pending, func(x engine.Execution) string { return x.Name }), "b")
	})
}

// testSerializable makes many goroutines increment one number, each in a transaction that reads and writes it.
func testSerializable(s *suite) {
	const workers, rounds = 6, 10
	read := func(r engine.Reader) (int, error) {
		values, err := r.Values("x", []string{"n"})
		if err != nil || len(values) == 0 {
			return 0, err
		}
		return strconv.Atoi(string(values[0].Value))
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				err := s.Update(bg, engine.Work{}, func(t engine.Tx) error {
					n, err := read(t)
					if err != nil {
						return err
					}
					return t.PutValues([]engine.Value{{Space: "x", Key: "n", Value: []byte(strconv.Itoa(n + 1))}})
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.view(func(r engine.Reader) {
		n, err := read(r)
		s.OK(err)
		s.same("sum", n, workers*rounds)
	})
}

// testSnapshot reads two numbers in one View while transactions keep moving 1 from the first to the second.
func testSnapshot(s *suite) {
	read := func(r engine.Reader, key string) (n int, err error) {
		values, err := r.Values("x", []string{key})
		if err == nil && len(values) > 0 {
			n, err = strconv.Atoi(string(values[0].Value))
		}
		return n, err
	}
	move := func(t engine.Tx) error {
		for key, by := range map[string]int{"a": -1, "b": 1} {
			n, err := read(t, key)
			if err != nil {
				return err
			}
			if err := t.PutValues([]engine.Value{{Space: "x", Key: key, Value: []byte(strconv.Itoa(n + by))}}); err != nil {
				return err
			}
		}
		return nil
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := s.Update(bg, engine.Work{}, move); err != nil {
				s.Error(err)
				return
			}
		}
	})
	for range 30 {
		err := s.View(bg, func(r engine.Reader) error {
			a, err := read(r, "a")
			if err != nil {
				return err
			}
			time.Sleep(time.Millisecond) // the writer continues, unless readers block it
			b, err := read(r, "b")
			if err == nil && a+b != 0 {
				err = fmt.Errorf("a is %d and b is %d, which are not of one snapshot", a, b)
			}
			return err
		})
		if err != nil {
			s.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

// testDurable checks that rows, timers and counts survive closing the engine and opening it again.
func testDurable(s *suite) {
	ids := s.things("a", "b")
	job := s.job("j")
	s.queue(job, ids...)
	c := becomes(s.execution("a", "j"), runs)
	c.New.Deadline, c.New.Details = 1000, `{"a":"b"}`
	s.same("applied", s.apply(c), true)
	s.same("applied", s.apply(becomes(s.execution("b", "j"), ended)), true)
	s.OK(s.Close())
	s.Engine = s.handle()
	s.counts(engine.Counts{runs: 1, ended: 1})
	list, err := s.Pending(bg, nil, "a")
	s.OK(err)
	s.same("pending", []any{len(list), list[0].Version, list[0].Details}, []any{1, int64(2), `{"a":"b"}`})
	due, _, err := s.Due(bg, 1000, 9)
	s.OK(err)
	s.same("due", len(due), 1)
	totals, err := s.Totals(bg)
	s.OK(err)
	s.same("totals", totals, engine.Counts{runs: 1, ended: 1})
}

func testClosed(s *suite) {
	s.OK(s.Close())
	s.OK(s.Close())
	_, err := s.Pending(bg, nil, "a")
	s.Is(err, engine.ErrClosed)
	_, err = s.Execution(bg, "a", "j")
	s.Is(err, engine.ErrClosed)
	_, err = s.Job(bg, "j")
	s.Is(err, engine.ErrClosed)
	s.Is(s.View(bg, func(engine.Reader) error { return nil }), engine.ErrClosed)
	s.Is(s.Update(bg, engine.Work{}, func(engine.Tx) error { return nil }), engine.ErrClosed)
	s.Is(s.Apply(bg, make([]engine.Change, 1)), engine.ErrClosed)
	s.Engine = s.handle()
}

// testHandles alternates between two handles: each must see what the other has committed.
func testHandles(s *suite) {
	if !s.Shared() {
		_, err := s.open()
		s.Is(err, engine.ErrInUse)
		return
	}
	first, second := s.Engine, s.handle()
	ids := s.things("a")
	s.queue(s.job("j"), ids...)
	for i := range 10 {
		x := s.execution("a", "j")
		s.same("version", x.Version, int64(i+1))
		s.same("applied", s.apply(becomes(x, runs)), true)
		if s.Engine = second; i%2 == 1 {
			s.Engine = first
		}
	}
	s.update(func(t engine.Tx) {
		state, err := t.Job("j")
		s.OK(err)
		next := copyOf(state.Job)
		next.Version, next.Record = 2, `{"n":2}`
		s.OK(t.PutJob(next, nil))
	})
	s.Engine = first
	list, err := s.Pending(bg, nil, "a")
	s.OK(err)
	s.same("the job of a pending execution", list[0].Of.Record, `{"n":2}`)
}

func testLeases(s *suite) {
	first, held, err := s.Acquire(bg, "work", "one", time.Minute)
	s.OK(err)
	s.same("held", held, true)
	again, held, err := s.Acquire(bg, "work", "one", time.Minute)
	s.OK(err)
	s.same("renewed", []any{held, again.Term}, []any{true, first.Term})
	s.OK(s.Update(bg, engine.Work{Lease: &first}, func(engine.Tx) error { return nil }))
	if !s.Shared() {
		return
	}
	other, held, err := s.Acquire(bg, "work", "two", time.Minute)
	s.OK(err)
	s.same("held by another", []any{held, other.Holder}, []any{false, "one"})
	s.OK(s.Release(bg, first))
	other, held, err = s.Acquire(bg, "work", "two", time.Minute)
	s.OK(err)
	if !held || other.Term <= first.Term {
		s.Fatalf("after the release: held %v, %+v, want a term after %d", held, other, first.Term)
	}
	err = s.Update(bg, engine.Work{Lease: &first}, func(t engine.Tx) error {
		return t.PutValues([]engine.Value{{Space: "x", Key: "k", Value: []byte("v")}})
	})
	s.Is(err, engine.ErrFenced)
	s.view(func(r engine.Reader) {
		values, err := r.Values("x", []string{"k"})
		s.OK(err)
		s.same("values of a fenced transaction", len(values), 0)
	})
}

// testFeed publishes in concurrent transactions: each entry must be read once, and the entries of a job in order.
func testFeed(s *suite) {
	if !s.Shared() {
		return
	}
	_, cursor, err := s.Feed(bg, "", 10, 0)
	s.OK(err)
	const jobs, rounds = 4, 15
	var wg sync.WaitGroup
	for job := range int64(jobs) {
		wg.Go(func() {
			for i := range rounds {
				err := s.Update(bg, engine.Work{}, func(t engine.Tx) error {
					return t.Publish([]engine.Entry{{Job: job + 1, Origin: "me", Payload: fmt.Append(nil, i)}})
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	next := make(map[int64]int)
	for read := 0; read < jobs*rounds; {
		entries, after, err := s.Feed(bg, cursor, 7, 10*time.Second)
		s.OK(err)
		if len(entries) == 0 {
			s.Fatalf("the feed returned %d of %d entries", read, jobs*rounds)
		}
		for _, e := range entries {
			s.same("the order of a job", string(e.Payload), strconv.Itoa(next[e.Job]))
			next[e.Job]++
		}
		read, cursor = read+len(entries), after
	}
	wg.Wait()
	ids := s.things("a")
	c := queued(s.job("j"), ids[0])
	c.Entry = []byte("queued")
	s.update(func(t engine.Tx) { s.OK(t.Apply([]engine.Change{c})) })
	entries, _, err := s.Feed(bg, cursor, 7, 10*time.Second)
	s.OK(err)
	s.same("the entry of a change", []any{len(entries), string(entries[0].Payload), entries[0].Job}, []any{1, "queued", c.Job})
	s.OK(s.PruneFeed(bg, -time.Hour))
	_, _, err = s.Feed(bg, cursor, 7, 0)
	s.Is(err, engine.ErrMissed)
}
