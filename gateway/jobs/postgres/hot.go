package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/failure"
	"jobgate/gateway/jobs/postgres/lane"
)

// Sizes of a batch. Larger ones gain nothing and delay its first request.
const (
	maxReads  = 128
	maxWrites = 128
)

// read is a device's request for its pending executions, or with a job for its execution of that job.
type read struct {
	thing, job string
	place      pgtype.TID // of the thing's row, when it was last read
	found      bool       // the thing exists
	rows       []engine.Execution
	err        error
	done       chan struct{}
}

// Pending implements engine.Engine.
func (e *Engine) Pending(ctx context.Context, dst []engine.Execution, thing string) ([]engine.Execution, error) {
	r := &read{thing: thing, done: make(chan struct{})}
	if err := e.await(ctx, e.pending, r); err != nil {
		return dst, err
	}
	if !r.found {
		return dst, engine.ErrNotFound
	}
	return append(dst, r.rows...), nil
}

// Execution implements engine.Engine.
func (e *Engine) Execution(ctx context.Context, thing, jobID string) (engine.Execution, error) {
	r := &read{thing: thing, job: jobID, done: make(chan struct{})}
	if err := e.await(ctx, e.described, r); err != nil {
		return engine.Execution{}, err
	}
	if len(r.rows) == 0 {
		return engine.Execution{}, engine.ErrNotFound
	}
	return r.rows[0], nil
}

// await sends a request to a lane and waits for its answer. Giving up does not affect the rest of the batch.
func (e *Engine) await(ctx context.Context, l *lane.Lane[read], r *read) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	if err := l.Send(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Devices' reads find a thing by the place of its row or by its name, and read the other of the two (%[1]s). Left joins,
// LATERAL and OFFSET 0 force a plan of single index look-ups: plans are kept while tables grow, and could otherwise read all
// executions of a job for each request.
const (
	pendingQuery = "SELECT n.n, t.%[1]s, " + executionColumns + `, coalesce(j.version, -1)
		FROM unnest($1::%[3]s[]) WITH ORDINALITY n (thing, n)
		LEFT JOIN things t ON t.%[2]s = n.thing AND NOT t.deleted
		LEFT JOIN LATERAL (SELECT * FROM executions WHERE thing = t.id AND status < 2 OFFSET 0) e ON true
		LEFT JOIN LATERAL (SELECT version FROM jobs WHERE seq = e.job OFFSET 0) j ON true`
	describedQuery = "SELECT n.n, t.%[1]s, " + executionColumns + `, j.version
		FROM unnest($1::%[3]s[], $2::text[]) WITH ORDINALITY n (thing, job, n)
		LEFT JOIN things t ON t.%[2]s = n.thing
		LEFT JOIN jobs j ON j.id = n.job
		LEFT JOIN LATERAL (SELECT * FROM executions WHERE thing = t.id AND job = j.seq OFFSET 0) e ON true`
)

// readQuery is a kind of read as the database is asked.
type readQuery struct {
	byPlace, byName string
	ofJobs          bool // each request names a job
}

func newReadQuery(query string, ofJobs bool) *readQuery {
	return &readQuery{fmt.Sprintf(query, "name", "ctid", "tid"), fmt.Sprintf(query, "ctid", "name", "text"), ofJobs}
}

// answer answers a batch.
func (e *Engine) answer(batch []*read, q *readQuery) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), e.options.Timeout)
	defer cancel()
	err := failure.Convert(e.readBatch(ctx, batch, q))
	e.observe("read", start, len(batch), err)
	for _, r := range batch {
		r.err = err
		close(r.done)
	}
}

// fewPlaces is the least number of known places that is worth a statement of its own.
const fewPlaces = 24

// readBatch reads things' rows by their places, which takes the database a quarter less than by their names. Things not
// found there are read by name.
func (e *Engine) readBatch(ctx context.Context, batch []*read, q *readQuery) error {
	known := e.places.find(batch)
	if known < min(fewPlaces, len(batch)) {
		known = 0
	}
	rest := slices.Clip(batch[known:])
	if known > 0 {
		if err := e.readRows(ctx, batch[:known], q.byPlace, q.args(batch[:known], true), true); err != nil {
			return err
		}
		for _, r := range batch[:known] {
			if !r.found {
				rest = append(rest, r)
			}
		}
	}
	if len(rest) == 0 {
		return nil
	}
	err := e.readRows(ctx, rest, q.byName, q.args(rest, false), false)
	if err == nil {
		e.places.keep(rest)
	}
	return err
}

// args are requests as arguments of a statement.
func (q *readQuery) args(requests []*read, byPlace bool) []any {
	places, names, jobs := make([]pgtype.TID, len(requests)), make([]string, len(requests)), make([]string, len(requests))
	for i, r := range requests {
		places[i], names[i], jobs[i] = r.place, r.thing, r.job
	}
	args := []any{names, jobs}
	if byPlace {
		args[0] = places
	}
	if !q.ofJobs {
		args = args[:1]
	}
	return args
}

// readRows runs a query and hands each request its rows.
func (e *Engine) readRows(ctx context.Context, requests []*read, sql string, args []any, byPlace bool) error {
	type line struct {
		r *read // nil: the row has no request's execution
		joined
	}
	rows, err := e.hot.Query(ctx, sql, args...)
	lines, err := collect(rows, err, func(rows pgx.Rows, l *line) error {
		var n int64
		var place pgtype.TID
		fields := append([]any{&n, &place}, executionFields(&l.Execution)...)
		fields = append(fields, &l.of.version)
		raw := rows.RawValues()
		if byPlace {
			fields[1] = nil
		}
		if raw[2] == nil {
			clear(fields[2:])
		}
		if err := rows.Scan(fields...); err != nil {
			return err
		}
		r := requests[n-1]
		switch {
		case byPlace:
			r.found = string(raw[1]) == r.thing
		case place.Valid:
			r.found, r.place = true, place
		}
		if r.found && raw[2] != nil && l.of.version >= 0 { // else the job was deleted meanwhile
			l.r, l.Name, l.of.seq = r, r.thing, l.Job
		}
		return nil
	})
	if err != nil {
		return err
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.r == nil })
	list := make([]joined, len(lines))
	for i := range lines {
		list[i] = lines[i].joined
	}
	if err := e.readJobs(ctx, e.hot, list); err != nil {
		return err
	}
	for i, l := range lines {
		if list[i].Of != nil {
			l.r.rows = append(l.r.rows, list[i].Execution)
		}
	}
	return nil
}

// write is a report in progress. It holds a copy of the change, because the caller may have given up.
type write struct {
	change engine.Change
	err    error
	done   chan struct{}
}

// Apply implements engine.Engine.
func (e *Engine) Apply(ctx context.Context, changes []engine.Change) error {
	if len(changes) == 1 && hot(&changes[0]) {
		return e.report(ctx, &changes[0])
	}
	var swaps []*engine.Change
	var rest []engine.Change
	var places []int
	for i := range changes {
		changes[i].Applied = false
		if hot(&changes[i]) {
			swaps = append(swaps, &changes[i])
		} else {
			rest, places = append(rest, changes[i]), append(places, i)
		}
	}
	err := e.applyMany(ctx, swaps)
	if len(rest) > 0 {
		err = errors.Join(err, e.Update(ctx, engine.Work{Rows: len(rest)}, func(t engine.Tx) error { return t.Apply(rest) }))
		for i, at := range places {
			changes[at].Applied = err == nil && rest[i].Applied
		}
	}
	return err
}

// report makes one change, batched with concurrent reports.
func (e *Engine) report(ctx context.Context, c *engine.Change) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	c.Applied = false
	w := &write{change: *c, done: make(chan struct{})}
	if err := e.writes.Send(ctx, w); err != nil {
		return err
	}
	select {
	case <-w.done:
		c.Applied = w.err == nil && w.change.Applied
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeBatch makes the changes of a batch. A second change of a key waits for the next statement.
func (e *Engine) writeBatch(batch []*write, shard int16) {
	for len(batch) > 0 {
		seen := make(map[engine.Key]bool, len(batch))
		now, later := make([]*write, 0, len(batch)), []*write(nil)
		for _, w := range batch {
			if seen[w.change.Key] {
				later = append(later, w)
				continue
			}
			seen[w.change.Key] = true
			now = append(now, w)
		}
		changes := make([]*engine.Change, len(now))
		for i, w := range now {
			changes[i] = &w.change
		}
		ctx, cancel := context.WithTimeout(context.Background(), e.options.Timeout)
		err := e.applyHot(ctx, changes, shard)
		cancel()
		for _, w := range now {
			if !w.change.Applied {
				w.err = err
			}
			close(w.done)
		}
		batch = later
	}
}

// applyMany makes the changes of one call, some hundreds in a statement.
func (e *Engine) applyMany(ctx context.Context, changes []*engine.Change) (err error) {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout)
	defer cancel()
	for part := range slices.Chunk(changes, 500) {
		err = errors.Join(err, e.applyHot(ctx, part, e.shard))
	}
	return err
}

// applyHot makes changes in one statement. If its answer is lost, it reads the outcome.
func (e *Engine) applyHot(ctx context.Context, changes []*engine.Change, shard int16) error {
	start := time.Now()
	slices.SortFunc(changes, byKey)
	places, err := failure.Retry(ctx, func() ([]int64, error) {
		rows, err := e.hot.Query(ctx, swap, swapArgs(changes, shard)...)
		return collect(rows, err, scanPlace)
	})
	switch {
	case err == nil:
		for _, n := range places {
			changes[n-1].Applied = true
		}
	case failure.Lost(err): // there may be rows anyway: a server that shuts down sends what it has, committed or not
		err = e.lookUp(ctx, changes, err)
	}
	e.observe("write", start, len(changes), err)
	return failure.Convert(err)
}

// lookUp marks which changes of a statement without an answer were made. FOR UPDATE waits if the server still runs it.
func (e *Engine) lookUp(ctx context.Context, changes []*engine.Change, cause error) error {
	keys := make([]engine.Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	things, jobs := keyArrays(keys)
	found, err := failure.RetryUnreachable(ctx, func() ([]engine.Execution, error) {
		rows, err := e.hot.Query(ctx, "SELECT "+executionColumns+` FROM executions e JOIN unnest($1::bigint[], $2::bigint[]) AS k (thing, job)
			ON e.thing = k.thing AND e.job = k.job ORDER BY e.thing, e.job FOR UPDATE OF e`, things, jobs)
		return collect(rows, err, scanExecution)
	})
	if err != nil {
		return errors.Join(engine.ErrUnknown, cause)
	}
	made := make(map[engine.Execution]bool, len(found))
	for i := range found {
		made[found[i]] = true
	}
	all := true
	for _, c := range changes {
		want := c.New
		want.Job, want.Thing, want.Name, want.Of, want.Reason = c.Job, c.Thing, "", nil, ""
		c.Applied = made[want]
		all = all && c.Applied
	}
	if all {
		return nil
	}
	return errors.Join(engine.ErrUnknown, cause)
}
