package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/failure"
	"jobgate/gateway/jobs/postgres/lane"
)

// Engine keeps the rows of a jobs store in PostgreSQL. It is safe for concurrent use.
type Engine struct {
	options Options
	hot     *pgxpool.Pool // lanes: reads and reports of devices
	work    *pgxpool.Pool // everything else
	jobs    jobCache
	places  places
	shard   int16        // of counts, for writes outside the lanes
	lag     atomic.Int64 // Lag, ns

	pending, described *lane.Lane[read]
	writes             *lane.Lane[write]

	mu      sync.RWMutex // read-locked by calls in progress in lanes
	closed  bool
	running sync.WaitGroup
}

var _ engine.Engine = (*Engine)(nil)

// enter begins a call that uses a lane; leave ends it.
func (e *Engine) enter() error {
	e.mu.RLock()
	if e.closed {
		e.mu.RUnlock()
		return engine.ErrClosed
	}
	return nil
}

func (e *Engine) leave() { e.mu.RUnlock() }

// Close implements engine.Engine.
func (e *Engine) Close() error {
	e.mu.Lock() // waits for the calls in progress
	already := e.closed
	e.closed = true
	e.mu.Unlock()
	if already {
		return nil
	}
	e.pending.Close()
	e.described.Close()
	e.writes.Close()
	e.running.Wait()
	e.hot.Close()
	e.work.Close()
	return nil
}

// observe reports the outcome of a call.
func (e *Engine) observe(operation string, start time.Time, rows int, err error) {
	if e.options.Observe != nil {
		e.options.Observe(Call{Operation: operation, Took: time.Since(start), Rows: rows, Err: failure.Convert(err)})
	}
}

// Connections returns how many connections are in use and how many wait to be used, of all pools.
func (e *Engine) Connections() (busy, idle int) {
	for _, pool := range []*pgxpool.Pool{e.hot, e.work} {
		s := pool.Stat()
		busy += int(s.AcquiredConns() + s.ConstructingConns())
		idle += int(s.IdleConns())
	}
	return busy, idle
}

// call runs one call within the store's time-out.
func (e *Engine) call(ctx context.Context, operation string, f func(ctx context.Context) error) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout)
	defer cancel()
	start := time.Now()
	_, err := failure.Retry(ctx, func() (struct{}, error) { return struct{}{}, f(ctx) })
	e.observe(operation, start, 1, err)
	return failure.Convert(err)
}

// Job implements engine.Engine.
func (e *Engine) Job(ctx context.Context, id string) (s engine.State, err error) {
	err = e.call(ctx, "job", func(ctx context.Context) error {
		t := tx{ctx: ctx, engine: e, conn: poolConn{e.work}}
		s, err = t.Job(id)
		return err
	})
	return s, err
}

// Totals implements engine.Engine.
func (e *Engine) Totals(ctx context.Context) (counts engine.Counts, err error) {
	var list []int64
	err = e.call(ctx, "totals", func(ctx context.Context) error {
		return e.work.QueryRow(ctx, "SELECT "+sums+" FROM counts c").Scan(&list)
	})
	copy(counts[:], list)
	return counts, err
}

// again is how soon due executions are checked again, in milliseconds.
const again = 1000

// Due implements engine.Engine.
func (e *Engine) Due(ctx context.Context, now int64, limit int) (due []engine.Execution, next int64, err error) {
	err = e.call(ctx, "due", func(ctx context.Context) error {
		t := tx{ctx: ctx, engine: e, conn: poolConn{e.work}}
		due, err = t.joined(`(SELECT * FROM timers WHERE due <= $1 ORDER BY due, thing LIMIT $2) d
			JOIN executions e ON e.thing = d.thing AND e.job = d.job JOIN things t ON t.id = e.thing JOIN jobs j ON j.seq = e.job
			ORDER BY d.due, d.thing`, now, limit)
		if err != nil {
			return err
		}
		return e.work.QueryRow(ctx, "SELECT coalesce(min(due), 0) FROM timers WHERE due > $1", now).Scan(&next)
	})
	switch {
	case err != nil:
		return nil, 0, err
	case len(due) == limit:
		next = now
	case len(due) > 0 && (next == 0 || next > now+again):
		next = now + again
	}
	return due, next, nil
}

// View implements engine.Engine.
func (e *Engine) View(ctx context.Context, read func(engine.Reader) error) error {
	return e.transaction(ctx, "view", engine.Work{}, readOnly, func(t *tx) error { return read(t) })
}

// Update implements engine.Engine.
func (e *Engine) Update(ctx context.Context, w engine.Work, change func(engine.Tx) error) error {
	return e.transaction(ctx, "update", w, readWrite, func(t *tx) error { return change(t) })
}

// mode is the mode of a transaction, as the statement that begins it.
type mode string

const (
	readOnly  mode = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	readWrite mode = "BEGIN ISOLATION LEVEL SERIALIZABLE"
)

// begin begins a transaction. The server ends it once it has been idle for as long as it may take, so that a frozen process
// (SIGSTOP, a paused machine) does not hold its locks. The setting takes no round trip of its own, and works through
// PgBouncer.
func (e *Engine) begin(ctx context.Context, m mode) (pgx.Tx, error) {
	idle := e.options.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		idle = time.Until(deadline)
	}
	return e.work.BeginTx(ctx, pgx.TxOptions{
		BeginQuery: fmt.Sprintf("%s; SET LOCAL idle_in_transaction_session_timeout = %d", m, max(1, idle.Milliseconds())),
	})
}

// rowsInTime is how many rows a transaction may change in each store_timeout.
const rowsInTime = 500

func (e *Engine) transaction(ctx context.Context, operation string, w engine.Work, m mode, f func(*tx) error) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	ctx, cancel := context.WithTimeout(ctx, e.options.Timeout*time.Duration(1+w.Rows/rowsInTime))
	defer cancel()
	start := time.Now()
	for n := 1; ; n++ {
		own, err := e.once(ctx, w, m, f)
		if failure.Repeatable(err) && failure.Pause(ctx, n) {
			continue
		}
		if own { // the function's own error
			e.observe(operation, start, w.Rows, nil)
			return err
		}
		e.observe(operation, start, w.Rows, err)
		return failure.Convert(err)
	}
}

// once runs a transaction once. own: the error is the function's, not the database's.
func (e *Engine) once(ctx context.Context, w engine.Work, m mode, f func(*tx) error) (own bool, err error) {
	conn, err := e.begin(ctx, m)
	if err != nil {
		return false, err
	}
	t := &tx{ctx: ctx, engine: e, conn: conn, shard: e.shard, writes: m == readWrite}
	rollback := func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Rollback(late) // if this fails the connection is closed, which also rolls back
	}
	if w.Lease != nil {
		if err := t.fence(w.Lease); err != nil {
			rollback()
			return errors.Is(err, engine.ErrFenced), err
		}
	}
	if err := f(t); err != nil {
		rollback()
		if t.err != nil {
			return false, t.err
		}
		return true, err
	}
	if !t.writes {
		rollback()
		return false, t.err
	}
	return false, e.commit(ctx, conn)
}

// commit commits a transaction. If the answer is lost, it queries the outcome.
func (e *Engine) commit(ctx context.Context, conn pgx.Tx) error {
	var xid *string
	var server string
	if err := conn.QueryRow(ctx, "SELECT pg_current_xact_id_if_assigned()::text, "+serverTimeOf).Scan(&xid, &server); err != nil {
		_ = conn.Rollback(context.WithoutCancel(ctx))
		return err
	}
	err := conn.Commit(ctx)
	if !failure.Lost(err) || xid == nil {
		return err
	}
	status, lookUp := failure.RetryUnreachable(ctx, func() (s *string, err error) {
		var now string
		if err = e.work.QueryRow(ctx, "SELECT "+serverTimeOf).Scan(&now); err != nil || now != server {
			return nil, err
		}
		err = e.work.QueryRow(ctx, "SELECT pg_xact_status($1::text::xid8)", *xid).Scan(&s)
		if err == nil && s != nil && *s == "in progress" {
			err = errInProgress
		}
		return s, err
	})
	switch {
	case lookUp == nil && status != nil && *status == "committed":
		return nil
	case lookUp == nil && status != nil && *status == "aborted":
		return errors.Join(engine.ErrUnavailable, err)
	}
	return errors.Join(engine.ErrUnknown, err)
}

// The history in which transaction numbers are valid. A promoted standby has another timeline and may reuse the numbers of
// transactions that it never received; a database restored from a dump has the tables of another, perhaps on another
// server.
const (
	serverOf     = "(SELECT system_identifier::text FROM pg_control_system())"
	serverTimeOf = "(SELECT concat_ws('-', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8)) FROM pg_control_system())"
	historyOf    = "(SELECT concat_ws('-', " + serverTimeOf + ", d.oid, 'feed'::regclass::oid) FROM pg_database d WHERE d.datname = current_database())"
)

var errInProgress = errors.New("jobs store: the transaction is in progress")
