package postgres

import (
	"context"
	"errors"
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

// fence prevents a lease from changing hands before the transaction ends.
func (t *tx) fence(l *engine.Lease) error {
	rows, err := t.query("SELECT 1 FROM leases WHERE name = $1 AND holder = $2 AND term = $3 FOR SHARE", l.Name, l.Holder, l.Term)
	held, err := collect(rows, err, func(rows pgx.Rows, one *int) error { return rows.Scan(one) })
	if err == nil && len(held) == 0 {
		err = engine.ErrFenced
	}
	return err
}
