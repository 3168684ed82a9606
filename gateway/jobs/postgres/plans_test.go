package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// TestPlans lets a handle plan its report in a store with one execution, which then grows before PostgreSQL notices. Reports
// must still look rows up, and not read a whole table or index.
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
	if err := e.Close(); err != nil { // the server's processes publish their statistics when they end
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
		t.Errorf("reports on two of %d executions read %d index entries, want 1 to %d: %v %v", many, read, bound, list, err)
	}
}

// live starts an execution, continues it, fails it and lets it succeed anyway, by the statement of devices' reports.
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
