package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
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

// fence keeps a lease from passing on before the transaction ends.
func (t *tx) fence(l *engine.Lease) error {
	rows, err := t.query("SELECT 1 FROM leases WHERE name = $1 AND holder = $2 AND term = $3 FOR SHARE", l.Name, l.Holder, l.Term)
	held, err := collect(rows, err, func(rows pgx.Rows, n *int) error { return rows.Scan(n) })
	if err == nil && len(held) == 0 {
		err = engine.ErrFenced
	}
	return err
}

// pollFeed is how long a reader of the feed waits before it looks again. NOTIFY would be sooner, but all transactions
// that notify commit one after the other.
const pollFeed = 100 * time.Millisecond

// place is where a reader is: behind an entry of a transaction.
type place struct {
	xid string // a number of 64 bits
	id  int64
}

func (p place) String() string { return p.xid + "." + strconv.FormatInt(p.id, 10) }

func parsePlace(cursor string) (place, error) {
	xid, id, ok := strings.Cut(cursor, ".")
	n, err := strconv.ParseInt(id, 10, 64)
	if _, bad := strconv.ParseUint(xid, 10, 64); !ok || err != nil || bad != nil {
		return place{}, engine.ErrMissed
	}
	return place{xid, n}, nil
}

// Feed implements engine.Coordinator. An entry is read when every transaction that began before its own has ended, so
// none comes up behind a reader.
func (e *Engine) Feed(ctx context.Context, after string, limit int, wait time.Duration) (entries []engine.Entry, next string, err error) {
	if after == "" {
		err = e.call(ctx, "feed", func(ctx context.Context) error {
			return e.work.QueryRow(ctx, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text").Scan(&next)
		})
		if err != nil {
			return nil, "", err
		}
		after = next + ".0"
	}
	at, err := parsePlace(after)
	if err != nil {
		return nil, after, err
	}
	until := time.Now().Add(wait)
	for {
		entries, at, err = e.readFeed(ctx, at, limit)
		if err != nil || len(entries) > 0 || !time.Now().Add(pollFeed).Before(until) {
			return entries, at.String(), err
		}
		select {
		case <-time.After(pollFeed):
		case <-ctx.Done():
			return nil, at.String(), ctx.Err()
		}
	}
}

func (e *Engine) readFeed(ctx context.Context, at place, limit int) ([]engine.Entry, place, error) {
	type line struct {
		engine.Entry
		place
	}
	var lines []line
	next := at
	err := e.call(ctx, "feed", func(ctx context.Context) error {
		rows, err := e.work.Query(ctx, `SELECT p.missed, coalesce(f.xid::text, ''), coalesce(f.id, 0), coalesce(f.job, 0), coalesce(f.origin, ''), f.payload
			FROM (SELECT (xid, id) > ($1::text::xid8, $2) AS missed FROM feed_pruned) p LEFT JOIN LATERAL (
				SELECT * FROM feed WHERE (xid, id) > ($1::text::xid8, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())
				ORDER BY xid, id LIMIT $3) f ON NOT p.missed`, at.xid, at.id, limit)
		missed := false
		lines, err = collect(rows, err, func(rows pgx.Rows, l *line) error {
			return rows.Scan(&missed, &l.xid, &l.id, &l.Job, &l.Origin, &l.Payload)
		})
		if err == nil && missed {
			return engine.ErrMissed
		}
		return err
	})
	if err != nil {
		return nil, at, err
	}
	var entries []engine.Entry
	for _, l := range lines {
		if l.xid != "" {
			entries, next = append(entries, l.Entry), l.place
		}
	}
	return entries, next, nil
}

// maxPruned is how many entries one statement drops.
const maxPruned = 20_000

// PruneFeed implements engine.Coordinator.
func (e *Engine) PruneFeed(ctx context.Context, age time.Duration) error {
	for {
		var n int64
		err := e.call(ctx, "prune", func(ctx context.Context) error {
			tag, err := e.work.Exec(ctx, `WITH old AS (
					SELECT xid, id FROM feed WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, id LIMIT $2),
				gone AS (
					DELETE FROM feed f USING old WHERE f.xid = old.xid AND f.id = old.id
					AND f.at < clock_timestamp() - make_interval(secs => $1) RETURNING f.xid, f.id),
				mark AS (
					UPDATE feed_pruned p SET xid = l.xid, id = l.id
					FROM (SELECT xid, id FROM gone ORDER BY xid DESC, id DESC LIMIT 1) l WHERE (l.xid, l.id) > (p.xid, p.id))
				SELECT FROM gone`, age.Seconds(), maxPruned)
			n = tag.RowsAffected()
			return err
		})
		if err != nil || n < maxPruned {
			return err
		}
	}
}

// Lag returns how old the oldest entry of the feed is that readers may not see yet; 0 if there is none.
func (e *Engine) Lag(ctx context.Context) (time.Duration, error) {
	var seconds float64
	err := e.call(ctx, "feed", func(ctx context.Context) error {
		return e.work.QueryRow(ctx, `SELECT coalesce(extract(epoch FROM clock_timestamp() - min(at)), 0)::float8 FROM feed
			WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())`).Scan(&seconds)
	})
	return time.Duration(seconds * float64(time.Second)), err
}

// Publish implements engine.Tx.
func (t *tx) Publish(entries []engine.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	jobs, origins, payloads := make([]int64, len(entries)), make([]string, len(entries)), make([][]byte, len(entries))
	for i, entry := range entries {
		jobs[i], origins[i], payloads[i] = entry.Job, entry.Origin, append([]byte{}, entry.Payload...)
	}
	err := t.exec(`INSERT INTO feed (job, origin, payload)
		SELECT job, origin, payload FROM unnest($1::bigint[], $2::text[], $3::bytea[]) WITH ORDINALITY AS p (job, origin, payload, n) ORDER BY n`,
		jobs, origins, payloads)
	if err != nil {
		return fmt.Errorf("cannot publish %d entries: %w", len(entries), err)
	}
	return nil
}
