package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// Executions implements engine.ExecutionReader.
func (t *tx) Executions(keys []engine.Key) ([]engine.Execution, error) {
	things, jobs := keyArrays(keys)
	rows, err := t.query("SELECT "+executionColumns+` FROM unnest($1::bigint[], $2::bigint[]) AS k (thing, job)
		JOIN executions e ON e.thing = k.thing AND e.job = k.job`, things, jobs)
	return collect(rows, err, scanExecution)
}

func keyArrays(keys []engine.Key) (things, jobs []int64) {
	things, jobs = make([]int64, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		things[i], jobs[i] = k.Thing, k.Job
	}
	return things, jobs
}

// Attempts implements engine.ExecutionReader.
func (t *tx) Attempts(k engine.Key) ([]engine.Execution, error) {
	rows, err := t.query("SELECT "+executionColumns+" FROM attempts e WHERE e.thing = $1 AND e.job = $2 ORDER BY e.number", k.Thing, k.Job)
	return collect(rows, err, scanExecution)
}

// version identifies the job's row that an execution refers to.
type version struct{ seq, version int64 }

// joined is an execution as it is read with its thing's name and its job's version.
type joined struct {
	engine.Execution
	of version
}

// joinedQuery reads executions e with the columns of joined; joins and conditions are appended.
const joinedQuery = "SELECT " + executionColumns + ", t.name, j.seq, j.version FROM "

func scanJoined(rows pgx.Rows, x *joined) error {
	return rows.Scan(append(executionFields(&x.Execution), &x.Name, &x.of.seq, &x.of.version)...)
}

// querier runs statements: a connection, a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// complete sets the jobs of executions. It reads those that are not cached in one query.
func (e *Engine) complete(ctx context.Context, q querier, list []joined) ([]engine.Execution, error) {
	if err := e.readJobs(ctx, q, list); err != nil {
		return nil, err
	}
	rows := make([]engine.Execution, 0, len(list))
	for i := range list {
		if list[i].Of != nil { // else the job was deleted meanwhile
			rows = append(rows, list[i].Execution)
		}
	}
	return rows, nil
}

func (e *Engine) readJobs(ctx context.Context, q querier, list []joined) error {
	var missing []int64
	for i := range list {
		x := &list[i]
		if x.Of = e.jobs.get(x.of.seq, x.of.version); x.Of == nil {
			missing = append(missing, x.of.seq)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	rows, err := q.Query(ctx, "SELECT "+jobColumns+" FROM jobs j WHERE j.seq = ANY($1::bigint[])", missing)
	read, err := collect(rows, err, func(rows pgx.Rows, j **engine.Job) error {
		*j = new(engine.Job)
		return rows.Scan(jobFields(*j)...)
	})
	if err != nil {
		return err
	}
	found := make(map[int64]*engine.Job, len(read))
	for _, j := range read {
		found[j.Seq] = e.jobs.put(j)
	}
	for i := range list {
		if list[i].Of == nil {
			list[i].Of = found[list[i].of.seq] // perhaps a newer version, which is as valid
		}
	}
	return nil
}

func (t *tx) joined(sql string, args ...any) ([]engine.Execution, error) {
	rows, err := t.query(joinedQuery+sql, args...)
	list, err := collect(rows, err, scanJoined)
	if err != nil {
		return nil, err
	}
	return t.engine.complete(t.ctx, t.conn, list)
}

// PendingOf implements engine.ExecutionReader.
func (t *tx) PendingOf(things []int64) ([]engine.Execution, error) {
	return t.joined(`executions e JOIN things t ON t.id = e.thing JOIN jobs j ON j.seq = e.job
		WHERE e.thing = ANY($1::bigint[]) AND e.status < 2 ORDER BY e.job, e.number`, things)
}

// ListOfJob implements engine.ExecutionReader. Those that have ended are found by their lines.
func (t *tx) ListOfJob(job int64, q engine.ExecutionQuery, after int64, limit int) ([]engine.Execution, error) {
	scan := func(rows pgx.Rows, x *engine.Execution) error {
		return rows.Scan(append(executionFields(x), &x.Name)...)
	}
	if q.Statuses != 0 && !q.Statuses.Has(0) && !q.Statuses.Has(1) {
		rows, err := t.query("SELECT "+executionColumns+", t.name FROM "+lines("")+` l
			JOIN executions e ON e.thing = l.thing AND e.job = $1 JOIN things t ON t.id = l.thing ORDER BY l.thing LIMIT $4`,
			job, after, statusArray(q.Statuses), limit)
		return collect(rows, err, scan)
	}
	rows, err := t.query("SELECT "+executionColumns+`, t.name FROM executions e JOIN things t ON t.id = e.thing
		WHERE e.job = $1 AND e.thing > $2 AND e.status = ANY($3::smallint[]) ORDER BY e.thing LIMIT $4`,
		job, after, statusArray(q.Statuses), limit)
	return collect(rows, err, scan)
}

// lines are a job's ($1) lines of ended executions that are still the latest, by thing after $2, of the statuses $3; of each
// status, $4 at most. only is a condition from ofReason.
func lines(only string) string {
	return `unnest($3::smallint[]) s (status), LATERAL (
		SELECT n.thing, n.number, n.status, n.reason FROM ended n
		JOIN executions x ON x.thing = n.thing AND x.job = n.job AND x.number = n.number AND x.status = n.status
		WHERE n.job = $1 AND n.status = s.status AND n.thing > $2` + only + `
		ORDER BY n.thing LIMIT $4)`
}

// ofReason returns a condition on lines n for a query's reason that suits the index on reasons, and args with the reason.
func ofReason(q *engine.EndedQuery, args ...any) (only string, all []any) {
	if !q.ByReason {
		return "", args
	}
	args = append(args, q.Reason)
	only = fmt.Sprintf(" AND n.reason = $%d", len(args))
	if q.Reason != "" {
		only += fmt.Sprintf(" AND n.reason <> '' AND left(n.reason, 100) = left($%d, 100)", len(args))
	}
	return only, args
}

// ListOfThing implements engine.ExecutionReader.
func (t *tx) ListOfThing(thing int64, q engine.ExecutionQuery, before engine.AttemptKey, limit int) ([]engine.Execution, error) {
	f := filter{args: []any{thing, before.Job, before.Number}}
	f.where = append(f.where, "($2 = 0 OR (e.job, e.number) < ($2, $3))")
	f.and("e.status = ANY(?::smallint[])", statusArray(q.Statuses))
	if q.JobID != "" {
		f.and("j.id = ?", q.JobID)
	}
	if q.Namespace != "" {
		f.and("j.namespace = ?", q.Namespace)
	}
	return t.joined(`(SELECT * FROM executions WHERE thing = $1 UNION ALL SELECT * FROM attempts WHERE thing = $1) e
		JOIN things t ON t.id = e.thing JOIN jobs j ON j.seq = e.job WHERE `+f.String()+
		" ORDER BY e.job DESC, e.number DESC"+f.limited(limit), f.args...)
}

// Ended implements engine.ExecutionReader.
func (t *tx) Ended(q engine.EndedQuery) ([]engine.Ended, error) {
	only, args := ofReason(&q, q.Job, q.After, statusArray(q.Statuses), q.Limit)
	rows, err := t.query("SELECT l.thing, t.name, l.number, l.status, l.reason FROM "+lines(only)+` l
		JOIN things t ON t.id = l.thing ORDER BY l.thing LIMIT $4`, args...)
	return collect(rows, err, func(rows pgx.Rows, x *engine.Ended) error {
		return rows.Scan(&x.Thing, &x.Name, &x.Number, &x.Status, &x.Reason)
	})
}

// Reasons implements engine.ExecutionReader. The number that ended without a reason is the rest of the job's counts.
func (t *tx) Reasons(q engine.EndedQuery) ([]engine.ReasonCount, error) {
	given := "" // a query for one reason needs no others
	if q.ByReason && q.Reason != "" {
		given = " AND hash = md5($4) AND reason = $4"
	}
	rows, err := t.query(`WITH r AS (SELECT status, reason, sum(n)::bigint AS n FROM reasons
			WHERE job = $1 AND status = ANY($2::smallint[])`+given+` GROUP BY status, reason)
		SELECT status, reason, n FROM (SELECT * FROM r UNION ALL
			SELECT s.status, '', c.n[s.status + 1] - coalesce((SELECT sum(n) FROM r WHERE r.status = s.status), 0)::bigint
			FROM unnest($2::smallint[]) s (status), (SELECT `+sums+` AS n FROM counts c WHERE c.job = $1) c WHERE s.status >= 2) x
		WHERE n > 0 AND ($5 = false OR reason = $4) ORDER BY n DESC, status, reason COLLATE "C" LIMIT $3`,
		q.Job, statusArray(q.Statuses), q.Limit, q.Reason, q.ByReason)
	return collect(rows, err, func(rows pgx.Rows, x *engine.ReasonCount) error { return rows.Scan(&x.Status, &x.Reason, &x.Count) })
}

// DeleteExecutions implements engine.Tx.
func (t *tx) DeleteExecutions(list []engine.Execution) (int, error) {
	var c columns
	for i := range list {
		c.add(engine.Key{Job: list[i].Job, Thing: list[i].Thing}, &list[i])
	}
	rows, err := t.query(`WITH gone AS (
			DELETE FROM executions e USING unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS k (thing, job, number, version)
			WHERE e.thing = k.thing AND e.job = k.job AND e.number = k.number AND e.version = k.version
			RETURNING e.thing, e.job, e.status, e.number),
		t AS (DELETE FROM timers t USING gone WHERE t.thing = gone.thing AND t.job = gone.job),
		l AS (DELETE FROM ended l USING gone, unnest('{2,3,4,5,6,7}'::smallint[]) s (status)
			WHERE l.job = gone.job AND l.status = s.status AND l.thing = gone.thing),
		r AS (INSERT INTO reasons (job, status, reason, shard, n) SELECT l.job, l.status, l.reason, $5, -count(*)
			FROM gone JOIN ended l ON l.job = gone.job AND l.status = gone.status AND l.thing = gone.thing AND l.number = gone.number
			WHERE l.reason <> '' GROUP BY 1, 2, 3 ORDER BY l.job, l.status, l.reason COLLATE "C"`+addReasons+`)
		SELECT job, status, count(*) FROM gone GROUP BY 1, 2`, c.thing, c.job, c.number, c.version, t.shard)
	type sum struct {
		job    int64
		status uint8
		n      int64
	}
	sums, err := collect(rows, err, func(rows pgx.Rows, s *sum) error { return rows.Scan(&s.job, &s.status, &s.n) })
	if err != nil {
		return 0, err
	}
	n := int64(0)
	deltas := make(deltas)
	for _, s := range sums {
		n += s.n
		deltas.add(s.job, s.status, -s.n)
	}
	return int(n), t.count(deltas)
}

// DeleteAttempts implements engine.Tx.
func (t *tx) DeleteAttempts(keys []engine.AttemptKey) (int, error) {
	things, jobs, numbers := make([]int64, len(keys)), make([]int64, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		things[i], jobs[i], numbers[i] = k.Thing, k.Job, k.Number
	}
	tag, err := t.conn.Exec(t.ctx, `DELETE FROM attempts a USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS k (thing, job, number)
		WHERE a.thing = k.thing AND a.job = k.job AND (k.number = 0 OR a.number = k.number)`, things, jobs, numbers)
	return int(tag.RowsAffected()), err
}

// Values implements engine.Reader.
func (t *tx) Values(space string, keys []string) ([]engine.Value, error) {
	rows, err := t.query("SELECT space, key, value FROM kept WHERE space = $1 AND key = ANY($2::text[])", space, keys)
	return collect(rows, err, scanValue)
}

// ListValues implements engine.Reader.
func (t *tx) ListValues(space, after string, limit int) ([]engine.Value, error) {
	rows, err := t.query("SELECT space, key, value FROM kept WHERE space = $1 AND key > $2 ORDER BY key LIMIT $3", space, after, limit)
	return collect(rows, err, scanValue)
}

func scanValue(rows pgx.Rows, v *engine.Value) error { return rows.Scan(&v.Space, &v.Key, &v.Value) }

// PutValues implements engine.Tx.
func (t *tx) PutValues(values []engine.Value) error {
	spaces, keys, bytes := make([]string, len(values)), make([]string, len(values)), make([][]byte, len(values))
	for i, v := range values {
		spaces[i], keys[i], bytes[i] = v.Space, v.Key, append([]byte{}, v.Value...)
	}
	return t.exec(`INSERT INTO kept (space, key, value) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
		ON CONFLICT (space, key) DO UPDATE SET value = excluded.value`, spaces, keys, bytes)
}

// DeleteValues implements engine.Tx.
func (t *tx) DeleteValues(space string, keys []string) error {
	if keys == nil {
		return t.exec("DELETE FROM kept WHERE space = $1", space)
	}
	return t.exec("DELETE FROM kept WHERE space = $1 AND key = ANY($2::text[])", space, keys)
}
