package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// reading is a handle with things that have an execution of the job "job" each, with the thing's name as details.
type reading struct {
	*testing.T
	*Engine
}

func newReading(t *testing.T, things int) reading {
	t.Helper()
	e, err := Open(t.Context(), Options{URL: pgtest.New(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	r := reading{t, e}
	r.exec(fmt.Sprintf(`INSERT INTO things (name, uuid, type, billing, attributes, version, created, deleted)
		SELECT 'thing-' || i, '', '', '', '', 1, 0, false FROM generate_series(0, %d) i`, things-1))
	r.exec(`INSERT INTO jobs (id, version, status, selection, sweep, namespace, active, created, ended, serial, record)
		VALUES ('job', 1, 0, 0, 0, '', true, 1, 0, 1, '')`)
	r.exec(`INSERT INTO executions SELECT t.id, j.seq, 1, 1, 0, false, 0, 0, 1, 0, 1, 0, 0, t.name FROM things t, jobs j`)
	return r
}

func (r reading) exec(statements ...string) {
	r.Helper()
	for _, sql := range statements {
		if _, err := r.work.Exec(r.Context(), sql); err != nil {
			r.Fatalf("%v in %s", err, sql)
		}
	}
}

// check reads a thing's executions in both ways. pending and described report whether it must find one.
func (r reading) check(thing string, pending, described bool) {
	r.Helper()
	list, err := r.Pending(r.Context(), nil, thing)
	switch {
	case !pending && !errors.Is(err, engine.ErrNotFound):
		r.Errorf("pending for %s: %v, %v", thing, list, err)
	case pending && (err != nil || len(list) != 1 || list[0].Details != thing || list[0].Name != thing || list[0].Of == nil):
		r.Errorf("pending for %s: %v, %v", thing, list, err)
	}
	x, err := r.Execution(r.Context(), thing, "job")
	switch {
	case !described && !errors.Is(err, engine.ErrNotFound):
		r.Errorf("described for %s: %v, %v", thing, x, err)
	case described && (err != nil || x.Details != thing || x.Name != thing || x.Of == nil):
		r.Errorf("described for %s: %v, %v", thing, x, err)
	}
}

// known reports whether the place of a thing's row is known.
func (r reading) known(thing string) bool { return r.places.find([]*read{{thing: thing}}) == 1 }

// TestReadsAfterMoves reads things whose rows have moved to the places of others.
func TestReadsAfterMoves(t *testing.T) {
	r := newReading(t, 3)
	all := func() {
		t.Helper()
		for i := range 3 {
			r.check(fmt.Sprintf("thing-%d", i), true, true)
		}
	}
	all()
	if !r.known("thing-1") || r.known("thing-3") {
		t.Error("the known places are not those of the things that were read")
	}
	all()
	r.exec("UPDATE things SET version = 2 WHERE name = 'thing-2'", "UPDATE things SET version = 2 WHERE name <> 'thing-2'",
		"VACUUM FULL things") // moves each to the place of another
	all()
	r.exec("UPDATE things SET version = 3")
	all()

	r.exec("UPDATE things SET deleted = true WHERE name = 'thing-1'")
	r.check("thing-1", false, true)
	r.exec("UPDATE things SET deleted = false WHERE name = 'thing-1'")
	all()
	r.exec("DELETE FROM executions USING things t WHERE t.id = thing AND t.name = 'thing-0'", "DELETE FROM things WHERE name = 'thing-0'")
	r.check("thing-0", false, false)
	if r.known("thing-0") {
		t.Error("the place of a deleted thing is still known")
	}
	r.exec(`INSERT INTO things (name, uuid, type, billing, attributes, version, created, deleted) VALUES ('thing-0', '', '', '', '', 1, 0, false)`)
	if list, err := r.Pending(t.Context(), nil, "thing-0"); err != nil || len(list) != 0 {
		t.Errorf("pending for a thing without executions: %v, %v", list, err)
	}
	if x, err := r.Execution(t.Context(), "thing-0", "job"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("described for a thing without executions: %v, %v", x, err)
	}
}

// TestReadsTogether reads things concurrently while their rows move. Some of the things do not exist.
func TestReadsTogether(t *testing.T) {
	const things, callers = 200, 150
	r := newReading(t, things)
	var reads sync.WaitGroup
	done := make(chan struct{})
	for c := range callers {
		reads.Go(func() {
			for n := range 20 {
				i := (c*7 + n*13) % (things + 20)
				r.check(fmt.Sprintf("thing-%d", i), i < things, i < things)
			}
		})
	}
	go func() { reads.Wait(); close(done) }()
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		default:
			r.exec(fmt.Sprintf("UPDATE things SET version = version + 1 WHERE id %% 5 = %d", n%5))
			if n%10 == 0 {
				r.exec("VACUUM things") // lets the places be reused
			}
		}
	}
}

// TestPlaces checks that the number of places is bounded, and that those of deleted things are forgotten.
func TestPlaces(t *testing.T) {
	const limit = 1000
	p := newPlaces(limit)
	batch := make([]*read, 0, limit+10)
	for i := range cap(batch) {
		place := pgtype.TID{BlockNumber: 1<<32 - 1 - uint32(i), OffsetNumber: uint16(1 + i%300), Valid: true} //nolint:gosec // small
		batch = append(batch, &read{thing: fmt.Sprint(i), found: true, place: place})
	}
	p.keep(batch)
	if len(p.rows) != limit {
		t.Errorf("%d places are kept", len(p.rows))
	}
	asked := make([]*read, len(batch))
	for i, r := range batch {
		asked[i] = &read{thing: r.thing}
	}
	known := asked[:p.find(asked)]
	if len(known) != limit {
		t.Errorf("%d places are found", len(known))
	}
	for _, r := range known {
		var i int
		if _, err := fmt.Sscan(r.thing, &i); err != nil || r.place != batch[i].place {
			t.Fatalf("%s is at %v, not at %v", r.thing, r.place, batch[i].place)
		}
	}
	gone := *known[0]
	p.keep([]*read{&gone})
	if p.find([]*read{{thing: gone.thing}}) != 0 {
		t.Error("the place of a deleted thing is kept")
	}
}

// TestReadPlans checks the plans of devices' reads made while tables are empty, while they are small, and while each job has
// one execution. Such plans stay in use, so they must not read all of a table or all executions of a job.
func TestReadPlans(t *testing.T) {
	r := newReading(t, 0)
	r.exec("DELETE FROM jobs")
	for _, rows := range []int{0, 1, 5, 300} {
		if rows > 0 {
			r.exec("TRUNCATE things, jobs, executions",
				fmt.Sprintf(`INSERT INTO things (name, uuid, type, billing, attributes, version, created, deleted)
					SELECT 'thing-' || i, '', '', '', '', 1, 0, false FROM generate_series(1, %d) i`, rows),
				fmt.Sprintf(`INSERT INTO jobs (id, version, status, selection, sweep, namespace, active, created, ended, serial, record)
					SELECT 'job-' || i, 1, 0, 0, 0, '', true, 1, 0, 1, '' FROM generate_series(1, %d) i`, rows),
				fmt.Sprintf(`INSERT INTO executions SELECT i, i, 1, 1, 0, false, 0, 0, 1, 0, 1, 0, 0, '' FROM generate_series(1, %d) i`, rows),
				"ANALYZE")
		}
		pending, described := newReadQuery(pendingQuery, false), newReadQuery(describedQuery, true)
		for sql, want := range map[string][]string{
			pending.byPlace:   {"TID Cond: (ctid = n.thing)", "Index Cond: (thing = t.id)", "Index Cond: (seq = executions.job)"},
			pending.byName:    {"Index Cond: (name = n.thing)", "Index Cond: (thing = t.id)", "Index Cond: (seq = executions.job)"},
			described.byPlace: {"TID Cond: (ctid = n.thing)", "Index Cond: (id = n.job)", "(thing = t.id) AND|AND (thing = t.id)"},
			described.byName:  {"Index Cond: (name = n.thing)", "Index Cond: (id = n.job)", "(thing = t.id) AND|AND (thing = t.id)"},
		} {
			plan := r.plan(sql)
			for _, w := range want {
				a, b, _ := strings.Cut(w, "|")
				if !strings.Contains(plan, a) && (b == "" || !strings.Contains(plan, b)) {
					t.Errorf("%d rows: no %q in the plan of\n%s\n%s", rows, w, sql, plan)
				}
			}
			for _, bad := range []string{"Seq Scan", "Materialize"} {
				if strings.Contains(plan, bad) {
					t.Errorf("%d rows: %q in the plan of\n%s\n%s", rows, bad, sql, plan)
				}
			}
		}
	}
}

// plan returns the plan of a statement on a lane's connection.
func (r reading) plan(sql string) string {
	r.Helper()
	conn, err := r.hot.Acquire(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Release()
	s, err := conn.Conn().Prepare(r.Context(), sql, sql)
	if err != nil {
		r.Fatal(err)
	}
	nulls := strings.TrimSuffix(strings.Repeat("NULL,", len(s.ParamOIDs)), ",")
	rows, err := conn.Query(r.Context(), "EXPLAIN EXECUTE "+pgx.Identifier{s.Name}.Sanitize()+" ("+nulls+")", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		r.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
