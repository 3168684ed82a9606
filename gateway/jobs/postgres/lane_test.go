package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// TestLane says when requests go, and with how many others. All statements of a case take as long; requests come at times
// of their own, in milliseconds.
func TestLane(t *testing.T) {
	type come struct{ at, n int }
	for name, c := range map[string]struct {
		takes int // a statement, in milliseconds
		come  []come
		want  []string // "when: how many"
	}{
		"one is idle":                          {5, []come{{0, 1}, {7, 1}}, []string{"0: 1", "7: 1"}},
		"the next waits and grows":             {5, []come{{0, 1}, {1, 2}, {3, 2}, {4, 30}}, []string{"0: 1", "5: 34"}},
		"many do not wait":                     {5, []come{{0, 1}, {1, 2}, {3, eager - 1}}, []string{"0: 1", "3: 65"}},
		"no more than two statements at once":  {5, []come{{0, 1}, {1, eager + 1}, {2, 150}}, []string{"0: 1", "1: 65", "5: 100", "10: 50"}},
		"nobody waits for long":                {1000, []come{{0, 1}, {1, 2}}, []string{"0: 1", "11: 2"}},
		"a crowd that is gone hurries nobody":  {5, []come{{0, 1}, {1, eager + 1}, {7, 1}, {8, 2}}, []string{"0: 1", "1: 65", "7: 1", "12: 2"}},
		"who comes later waits for all before": {5, []come{{0, 1}, {4, 1}, {6, 1}, {9, 1}}, []string{"0: 1", "5: 1", "10: 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLane[int](100)
				var running sync.WaitGroup
				var mu sync.Mutex
				var got []string
				begun := time.Now()
				for range 2 {
					l.serve(&running, func(batch []*int) {
						mu.Lock()
						got = append(got, fmt.Sprintf("%d: %d", time.Since(begun).Milliseconds(), len(batch)))
						mu.Unlock()
						time.Sleep(time.Duration(c.takes) * time.Millisecond)
					})
				}
				for _, x := range c.come {
					time.Sleep(time.Until(begun.Add(time.Duration(x.at) * time.Millisecond)))
					for range x.n {
						if err := l.send(t.Context(), new(int)); err != nil {
							t.Error(err)
						}
					}
					synctest.Wait()
				}
				close(l.in)
				running.Wait()
				if !slices.Equal(got, c.want) {
					t.Errorf("%q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestPlans lets a handle plan its report in a store with one execution, which grows then before PostgreSQL notices: reports
// look rows up all the same, and read no table or index from end to end.
func TestPlans(t *testing.T) {
	const many, bound = 20_000, 1000
	url := pgtest.New(t)
	e, err := Open(t.Context(), Options{URL: url, Connections: MinConnections})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	run := func(statements ...string) {
		t.Helper()
		for _, sql := range statements {
			if _, err := e.work.Exec(t.Context(), sql); err != nil {
				t.Fatal(err, sql)
			}
		}
	}
	grow := func(from, to int) {
		t.Helper()
		run(fmt.Sprintf(`INSERT INTO things (name, uuid, type, billing, attributes, version, created, deleted)
				SELECT 'thing-' || i, gen_random_uuid(), '', '', '', 1, 0, false FROM generate_series(%d, %d) i`, from, to),
			fmt.Sprintf("INSERT INTO executions SELECT i, 1, 1, 1, 0, false, 0, 0, 1, 0, 1, 0, 0, '' FROM generate_series(%d, %d) i", from, to))
	}
	for _, table := range []string{"things", "jobs", "executions", "timers", "ended", "reasons", "counts", "feed"} {
		run("ALTER TABLE " + table + " SET (autovacuum_enabled = false)")
	}
	run(`INSERT INTO jobs (id, version, status, selection, sweep, namespace, active, created, ended, serial, record)
		VALUES ('job', 1, 1, 0, 0, '', true, 1, 0, 1, '{}')`)
	grow(1, 1)
	run("VACUUM ANALYZE")
	live(t, e, 1)
	grow(2, many)
	run(fmt.Sprintf("INSERT INTO timers SELECT i, 1, i FROM generate_series(%d, %d) i", many/2, many),
		fmt.Sprintf("INSERT INTO ended SELECT 1, 3, i, 1, 'reason' FROM generate_series(%d, %d) i", many/2, many))
	live(t, e, 2)
	if err := e.Close(); err != nil { // the server's processes leave their statistics when they end
		t.Fatal(err)
	}
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	read, until := int64(0), time.Now().Add(10*time.Second)
	for read == 0 && time.Now().Before(until) {
		if err := conn.QueryRow(t.Context(), "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname IN ('executions', 'timers', 'ended')").Scan(&read); err != nil {
			t.Fatal(err)
		}
	}
	if read == 0 || read > bound {
		rows, err := conn.Query(t.Context(), "SELECT indexrelname || ' ' || idx_tup_read FROM pg_stat_user_indexes WHERE idx_tup_read > 100")
		list, err := collect(rows, err, func(rows pgx.Rows, s *string) error { return rows.Scan(s) })
		t.Errorf("the lives of two executions among %d read %d entries of indexes, want some, at most %d: %v %v", many, read, bound, list, err)
	}
}

// live lets an execution begin, go on, fail and succeed all the same, by the statement of devices' reports.
func live(t *testing.T, e *Engine, thing int64) {
	t.Helper()
	was := engine.Execution{Number: 1, Version: 1}
	for _, x := range []engine.Execution{
		{Status: 1, Deadline: 1000}, {Status: 1, Deadline: 1000}, {Status: 3, Reason: "full"}, {Status: 2}, {Status: 2},
	} {
		x.Number, x.Version = 1, was.Version+1
		changes := []engine.Change{{Key: engine.Key{Job: 1, Thing: thing}, Number: 1, Version: was.Version, Status: was.Status, New: x, Entry: []byte("{}")}}
		if err := e.Apply(t.Context(), changes); err != nil || !changes[0].Applied {
			t.Fatal(changes, err)
		}
		was = x
	}
}
