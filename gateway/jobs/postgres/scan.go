package postgres

import (
	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// collect scans all rows of a query.
func collect[T any](rows pgx.Rows, err error, scan func(pgx.Rows, *T) error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var one T
		if err := scan(rows, &one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	if err := rows.Err(); err != nil { // they may belong to a transaction that did not end
		return nil, err
	}
	return list, nil
}

// executionColumns are those of executions and attempts, of a table e.
const executionColumns = `e.thing, e.job, e.number, e.version, e.status, e.forced, e.retry, e.retry_timed_out,
	e.queued, e.started, e.updated, e.deadline, e.step, e.details`

// executionFields are the destinations of executionColumns.
func executionFields(x *engine.Execution) []any {
	return []any{
		&x.Thing, &x.Job, &x.Number, &x.Version, &x.Status, &x.Forced, &x.Retry, &x.RetryTimedOut,
		&x.Queued, &x.Started, &x.Updated, &x.Deadline, &x.Step, &x.Details,
	}
}

func scanExecution(rows pgx.Rows, x *engine.Execution) error { return rows.Scan(executionFields(x)...) }

// columns are executions as arrays, one a column.
type columns struct {
	thing, job, number, version              []int64
	status                                   []int16
	forced                                   []bool
	retry, retryTimedOut                     []int32
	queued, started, updated, deadline, step []int64
	details                                  []string
}

func (c *columns) add(k engine.Key, x *engine.Execution) {
	c.thing, c.job = append(c.thing, k.Thing), append(c.job, k.Job)
	c.number, c.version = append(c.number, x.Number), append(c.version, x.Version)
	c.status, c.forced = append(c.status, int16(x.Status)), append(c.forced, x.Forced)
	c.retry, c.retryTimedOut = append(c.retry, int32(x.Retry)), append(c.retryTimedOut, int32(x.RetryTimedOut))
	c.queued, c.started, c.updated = append(c.queued, x.Queued), append(c.started, x.Started), append(c.updated, x.Updated)
	c.deadline, c.step, c.details = append(c.deadline, x.Deadline), append(c.step, x.Step), append(c.details, x.Details)
}

// args are the columns in the order of executionColumns.
func (c *columns) args() []any {
	return []any{
		c.thing, c.job, c.number, c.version, c.status, c.forced, c.retry, c.retryTimedOut,
		c.queued, c.started, c.updated, c.deadline, c.step, c.details,
	}
}

// unnestExecutions is the row source of columns.args, whose first parameter is $1.
const unnestExecutions = `unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::smallint[], $6::boolean[], $7::integer[],
	$8::integer[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[])`

// executionNames name unnestExecutions' columns.
const executionNames = `thing, job, number, version, status, forced, retry, retry_timed_out,
	queued, started, updated, deadline, step, details`

// statusArray returns the statuses of a set, all of them for the zero set.
func statusArray(s engine.StatusSet) []int16 {
	list := make([]int16, 0, engine.Statuses)
	for n := range uint8(engine.Statuses) {
		if s.Has(n) {
			list = append(list, int16(n))
		}
	}
	return list
}
