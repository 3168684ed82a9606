package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// Sizes of a batch. Larger ones gain nothing and make the first of it wait.
const (
	maxReads  = 128
	maxWrites = 128
)

// read is a device's request for its pending executions, or, with a job, for its execution of that.
type read struct {
	thing, job string
	found      bool
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

// await has a lane answer a request. Who stops waiting leaves the others of the batch alone.
func (e *Engine) await(ctx context.Context, l *lane[read], r *read) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	if err := l.send(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readPending answers a batch.
func (e *Engine) readPending(batch []*read) {
	names := make([]string, len(batch))
	for i, r := range batch {
		names[i] = r.thing
	}
	e.answer(batch, "SELECT n.n, "+executionColumns+`, coalesce(j.version, -1)
		FROM unnest($1::text[]) WITH ORDINALITY n (name, n)
		JOIN things t ON t.name = n.name AND NOT t.deleted
		LEFT JOIN executions e ON e.thing = t.id AND e.status < 2
		LEFT JOIN jobs j ON j.seq = e.job`, names)
}

// readDescribed answers a batch.
func (e *Engine) readDescribed(batch []*read) {
	names, jobs := make([]string, len(batch)), make([]string, len(batch))
	for i, r := range batch {
		names[i], jobs[i] = r.thing, r.job
	}
	e.answer(batch, "SELECT n.n, "+executionColumns+`, j.version
		FROM unnest($1::text[], $2::text[]) WITH ORDINALITY n (thing, job, n)
		JOIN things t ON t.name = n.thing
		JOIN jobs j ON j.id = n.job
		JOIN executions e ON e.thing = t.id AND e.job = j.seq`, names, jobs)
}

// answer runs a batch's query and hands each request its rows.
func (e *Engine) answer(batch []*read, sql string, args ...any) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), e.options.Timeout)
	defer cancel()
	err := e.readBatch(ctx, batch, sql, args)
	e.observe("read", start, len(batch), err)
	for _, r := range batch {
		r.err = err
		close(r.done)
	}
}

func (e *Engine) readBatch(ctx context.Context, batch []*read, sql string, args []any) error {
	type line struct {
		n    int64 // the request's place in the batch
		none bool  // its thing is there, and has no execution
		joined
	}
	rows, err := e.hot.Query(ctx, sql, args...)
	lines, err := collect(rows, err, func(rows pgx.Rows, l *line) error {
		fields := append([]any{&l.n}, executionFields(&l.Execution)...)
		if l.none = rows.RawValues()[1] == nil; l.none {
			clear(fields[1:])
		}
		return rows.Scan(append(fields, &l.of.version)...)
	})
	if err != nil {
		return problem(err)
	}
	list, places := make([]joined, 0, len(lines)), make([]int64, 0, len(lines))
	for i := range lines {
		l := &lines[i]
		r := batch[l.n-1]
		r.found = true
		if l.none || l.of.version < 0 { // or the job was deleted meanwhile
			continue
		}
		l.Name, l.of.seq = r.thing, l.Job
		list, places = append(list, l.joined), append(places, l.n-1)
	}
	if err := e.readJobs(ctx, e.hot, list); err != nil {
		return problem(err)
	}
	for i := range list {
		if list[i].Of != nil {
			r := batch[places[i]]
			r.rows = append(r.rows, list[i].Execution)
		}
	}
	return nil
}

// write is a report under way. It holds a copy of the change: who asked may have left.
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

// report makes one change, with what others report at the time.
func (e *Engine) report(ctx context.Context, c *engine.Change) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	c.Applied = false
	w := &write{change: *c, done: make(chan struct{})}
	if err := e.writes.send(ctx, w); err != nil {
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

// writeBatch makes the changes of a batch. A key that comes twice is one for the next statement.
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

// applyMany makes changes that came together, in statements of some hundreds.
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

// applyHot makes changes by one statement. If its answer is lost, it looks what became of them.
func (e *Engine) applyHot(ctx context.Context, changes []*engine.Change, shard int16) error {
	start := time.Now()
	slices.SortFunc(changes, byKey)
	places, err := retried(ctx, func() ([]int64, error) {
		rows, err := e.hot.Query(ctx, swap, swapArgs(changes, shard)...)
		return collect(rows, err, scanPlace)
	})
	switch {
	case err == nil:
		for _, n := range places {
			changes[n-1].Applied = true
		}
	case lost(err): // rows may have come all the same: a server that is shut down sends what it has, committed or not
		err = e.lookUp(ctx, changes, err)
	}
	e.observe("write", start, len(changes), err)
	return problem(err)
}

// lookUp marks the changes of a statement without an answer that were made. FOR UPDATE waits for a statement that the
// server still runs.
func (e *Engine) lookUp(ctx context.Context, changes []*engine.Change, cause error) error {
	keys := make([]engine.Key, len(changes))
	for i, c := range changes {
		keys[i] = c.Key
	}
	things, jobs := keyArrays(keys)
	found, err := patient(ctx, func() ([]engine.Execution, error) {
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
