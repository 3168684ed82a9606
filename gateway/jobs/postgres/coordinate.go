package postgres

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// Shared implements engine.Coordinator.
func (e *Engine) Shared() bool { return true }

// Acquire implements engine.Coordinator. The time is the database's.
func (e *Engine) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (engine.Lease, bool, error) {
	l := engine.Lease{Name: name}
	var left float64
	err := e.call(ctx, "lease", func(ctx context.Context) error {
		err := e.work.QueryRow(ctx, `INSERT INTO leases AS l (name, holder, term, until)
			VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
				term = l.term + (l.holder <> excluded.holder OR l.until <= clock_timestamp())::int
			WHERE l.holder = excluded.holder OR l.until <= clock_timestamp()
			RETURNING holder, term, extract(epoch FROM until - clock_timestamp())::float8`, name, holder, ttl.Seconds()).
			Scan(&l.Holder, &l.Term, &left)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return e.work.QueryRow(ctx, "SELECT holder, term, extract(epoch FROM until - clock_timestamp())::float8 FROM leases WHERE name = $1", name).
			Scan(&l.Holder, &l.Term, &left)
	})
	l.Left = max(0, time.Duration(left*float64(time.Second)))
	return l, err == nil && l.Holder == holder, err
}

// Release implements engine.Coordinator.
func (e *Engine) Release(ctx context.Context, l engine.Lease) error {
	return e.call(ctx, "lease", func(ctx context.Context) error {
		_, err := e.work.Exec(ctx, "UPDATE leases SET until = '-infinity' WHERE name = $1 AND holder = $2 AND term = $3", l.Name, l.Holder, l.Term)
		return err
	})
}

// fence prevents a lease from changing hands before the transaction ends. So that a frozen process does not keep it forever,
// the server ends the transaction once it is idle for longer than it may take.
func (t *tx) fence(l *engine.Lease) error {
	idle := t.engine.options.Timeout
	if deadline, ok := t.ctx.Deadline(); ok {
		idle = time.Until(deadline)
	}
	rows, err := t.query(`SELECT set_config('idle_in_transaction_session_timeout', $4, true) FROM leases
		WHERE name = $1 AND holder = $2 AND term = $3 FOR SHARE`, l.Name, l.Holder, l.Term, strconv.FormatInt(max(1, idle.Milliseconds()), 10))
	held, err := collect(rows, err, func(rows pgx.Rows, setting *string) error { return rows.Scan(setting) })
	if err == nil && len(held) == 0 {
		err = engine.ErrFenced
	}
	return err
}
