package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/failure"
)

var _ engine.Copier = (*Engine)(nil)

// sources are the tables of package engine that this schema stores differently.
var sources = map[string]string{
	"jobs":       "(SELECT * FROM jobs JOIN progress ON job = seq)",
	"executions": "(SELECT e.*, coalesce(l.reason, '') AS reason FROM executions e LEFT JOIN ended l ON l.job = e.job AND l.status = e.status AND l.thing = e.thing AND l.number = e.number)",
	"attempts":   "(SELECT a.*, coalesce(l.reason, '') AS reason FROM attempts a LEFT JOIN ended l ON l.job = a.job AND l.status = a.status AND l.thing = a.thing AND l.number = a.number)",
	"values":     "(SELECT * FROM kept WHERE space <> '" + engine.CopySpace + "')",
	"last": `(SELECT 'things' AS name, coalesce(pg_sequence_last_value(pg_get_serial_sequence('things', 'id')), 0) AS number
		UNION ALL SELECT 'groups', coalesce(pg_sequence_last_value(pg_get_serial_sequence('groups', 'id')), 0)
		UNION ALL SELECT 'jobs', coalesce(pg_sequence_last_value(pg_get_serial_sequence('jobs', 'seq')), 0)
		UNION ALL SELECT 'serials', coalesce(pg_sequence_last_value('serials'), 0))`,
}

// Export implements engine.Copier.
func (e *Engine) Export(ctx context.Context, t *engine.Table, after []any, limit int) (list [][]any, err error) {
	from := sources[t.Name]
	if from == "" {
		from = t.Name
	}
	var names, keys, holes []string
	for i, c := range t.Columns {
		switch c.Kind {
		case engine.Bool:
			names = append(names, c.Name+"::int::bigint")
		case engine.Int:
			names = append(names, c.Name+"::bigint")
		default:
			names = append(names, c.Name)
		}
		if i < t.Key {
			keys = append(keys, c.Name)
			holes = append(holes, fmt.Sprintf("$%d", i+2))
		}
	}
	where := ""
	if after != nil {
		where = " WHERE (" + strings.Join(keys, ", ") + ") > (" + strings.Join(holes, ", ") + ")"
	}
	sql := "SELECT " + strings.Join(names, ", ") + " FROM " + from + " x" + where + " ORDER BY " + strings.Join(keys, ", ") + " LIMIT $1"
	err = e.transaction(ctx, "copy", engine.Work{Rows: limit}, readOnly, func(t *tx) error {
		rows, err := t.query(sql, append([]any{limit}, after...)...)
		list, err = collect(rows, err, func(rows pgx.Rows, row *[]any) (err error) {
			*row, err = rows.Values()
			return err
		})
		return err
	})
	return list, err
}

// targets are the tables for the rows of package engine's tables.
var targets = map[string]string{
	"things":     "INSERT INTO things (id, name, uuid, type, billing, attributes, version, created, deleted) OVERRIDING SYSTEM VALUE SELECT * FROM c",
	"groups":     "INSERT INTO groups (id, name, uuid, parent, description, attributes, version, created, state, above) OVERRIDING SYSTEM VALUE SELECT *, '{}'::bigint[] FROM c",
	"members":    "INSERT INTO members (grp, thing, serial) SELECT * FROM c",
	"targets":    "INSERT INTO targets (job, position, is_group, ref) SELECT * FROM c",
	"values":     "INSERT INTO kept (space, key, value) SELECT * FROM c",
	"executions": ended + "INSERT INTO executions (job, thing, number, version, status, forced, retry, retry_timed_out, queued, started, updated, deadline, step, details) " + withoutReason,
	"attempts":   ended + "INSERT INTO attempts (job, thing, number, version, status, forced, retry, retry_timed_out, queued, started, updated, deadline, step, details) " + withoutReason,
	"jobs": `, p AS (INSERT INTO progress (job, notified, chunks, started, done, swept, pace, target, at_group, at_thing, sweep_thing)
		SELECT seq, notified, chunks, started, done, swept, pace, target, at_group, at_thing, sweep_thing FROM c)
		INSERT INTO jobs (seq, id, version, status, selection, sweep, namespace, active, created, ended, serial, record) OVERRIDING SYSTEM VALUE
		SELECT seq, id, version, status, selection, sweep, namespace, active, created, ended, serial, record FROM c`,
	"last": `SELECT setval(CASE name WHEN 'things' THEN pg_get_serial_sequence('things', 'id') WHEN 'groups' THEN pg_get_serial_sequence('groups', 'id')
		WHEN 'jobs' THEN pg_get_serial_sequence('jobs', 'seq') ELSE 'serials' END::regclass, number) FROM c WHERE number > 0`,
}

const (
	ended         = ", l AS (INSERT INTO ended (job, status, thing, number, reason) SELECT job, status, thing, number, reason FROM c WHERE status >= 2) "
	withoutReason = "SELECT job, thing, number, version, status, forced, retry, retry_timed_out, queued, started, updated, deadline, step, details FROM c"
)

// Import implements engine.Copier.
func (e *Engine) Import(ctx context.Context, t *engine.Table, rows [][]any, mark []engine.Value) error {
	types := map[engine.Kind]string{engine.Int: "bigint", engine.Bool: "bigint", engine.Text: "text", engine.Bytes: "bytea"}
	var arrays, names, picked []string
	args := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+1, types[c.Kind]))
		names = append(names, c.Name)
		if c.Kind == engine.Bool {
			picked = append(picked, c.Name+" <> 0 AS "+c.Name)
		} else {
			picked = append(picked, c.Name)
		}
		args[i] = column(c.Kind, rows, i)
	}
	sql := "WITH c AS (SELECT " + strings.Join(picked, ", ") + " FROM unnest(" + strings.Join(arrays, ", ") + ") c (" + strings.Join(names, ", ") + ")) " + targets[t.Name]
	return e.transaction(ctx, "copy", engine.Work{Rows: len(rows)}, readWrite, func(t *tx) error {
		if err := t.exec(sql, args...); err != nil {
			return err
		}
		return t.PutValues(mark)
	})
}

// column returns a column of rows as an array.
func column(kind engine.Kind, rows [][]any, i int) any {
	switch kind {
	case engine.Text:
		return values[string](rows, i)
	case engine.Bytes:
		return values[[]byte](rows, i)
	}
	return values[int64](rows, i)
}

func values[T any](rows [][]any, i int) []T {
	list := make([]T, len(rows))
	for n := range rows {
		list[n], _ = rows[n][i].(T) // engines pass values of the column's kind
	}
	return list
}

// finish recomputes counts, reasons, timers and the groups' ancestors.
var finish = []string{
	`DELETE FROM counts`,
	`INSERT INTO counts SELECT job, 0, count(*) FILTER (WHERE status = 0), count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2),
		count(*) FILTER (WHERE status = 3), count(*) FILTER (WHERE status = 4), count(*) FILTER (WHERE status = 5), count(*) FILTER (WHERE status = 6),
		count(*) FILTER (WHERE status = 7) FROM executions GROUP BY job`,
	`DELETE FROM reasons`,
	`INSERT INTO reasons (job, status, reason, shard, n) SELECT job, status, reason, 0, n FROM (` + reasonsOf + `) r`,
	`DELETE FROM timers`,
	`INSERT INTO timers SELECT thing, job, CASE WHEN deadline = 0 OR (step <> 0 AND step < deadline) THEN step ELSE deadline END
		FROM executions WHERE status < 2 AND (deadline <> 0 OR step <> 0)`,
	`WITH RECURSIVE up AS (
		SELECT id, parent, '{}'::bigint[] AS above FROM groups
		UNION ALL SELECT up.id, g.parent, up.above || g.id FROM up JOIN groups g ON g.id = up.parent)
		UPDATE groups SET above = up.above FROM up WHERE up.id = groups.id AND up.parent = 0`,
}

// copyTime bounds a statement over a whole table.
const copyTime = time.Hour

// Finish implements engine.Copier.
func (e *Engine) Finish(ctx context.Context, space string) error {
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	err := pgx.BeginFunc(ctx, e.work, func(t pgx.Tx) error {
		for _, sql := range finish {
			if _, err := t.Exec(ctx, sql); err != nil {
				return err
			}
		}
		_, err := t.Exec(ctx, "DELETE FROM kept WHERE space = $1", space)
		return err
	})
	if err == nil {
		err = e.analyze(ctx)
	}
	return failure.Convert(err)
}

// analyze gathers statistics of the tables that have rows. A gateway plans its statements once; planned for empty tables,
// the first rollout after the copy would read a whole index for each thing.
func (e *Engine) analyze(ctx context.Context) error {
	rows, err := e.work.Query(ctx, `SELECT c.oid::regclass::text FROM pg_class c
		WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'things'::regclass) AND pg_relation_size(c.oid) > 0`)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(tables) == 0 {
		return err
	}
	_, err = e.work.Exec(ctx, "ANALYZE "+strings.Join(tables, ", "))
	return err
}
