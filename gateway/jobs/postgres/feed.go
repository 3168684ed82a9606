package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// pollFeed is how long a reader of the feed waits between polls. NOTIFY would be faster, but transactions that notify
// commit one after the other.
const pollFeed = 100 * time.Millisecond

// entriesARow is the most entries in a row of the feed, so that a row usually fits in a page.
const entriesARow = 32

// place is a reader's position: after a row, or, if read is not 0, after that many of its entries. It is valid only in
// its history.
type place struct {
	history string // historyOf
	xid     string // a number of 64 bits
	id      int64
	read    int
}

func (p place) String() string {
	return p.history + "." + p.xid + "." + strconv.FormatInt(p.id, 10) + "." + strconv.Itoa(p.read)
}

func parsePlace(cursor string) (p place, err error) {
	parts := strings.Split(cursor, ".")
	if len(parts) != 4 {
		return p, engine.ErrMissed
	}
	p.history, p.xid = parts[0], parts[1]
	_, bad := strconv.ParseUint(p.xid, 10, 64)
	var not error
	p.id, err = strconv.ParseInt(parts[2], 10, 64)
	p.read, not = strconv.Atoi(parts[3])
	if bad != nil || err != nil || not != nil || p.read < 0 {
		return p, engine.ErrMissed
	}
	return p, nil
}

// Feed implements engine.Coordinator. An entry is read once every transaction that began before its own has ended, so
// that none appears before a reader's place. ErrMissed also if the database was restored from a backup, or its server was
// replaced by a standby, since the cursor was made.
func (e *Engine) Feed(ctx context.Context, after string, limit int, wait time.Duration) (entries []engine.Entry, next string, err error) {
	var at place
	if after == "" {
		at, err = e.beginFeed(ctx)
	} else {
		at, err = parsePlace(after)
	}
	if err != nil {
		return nil, after, err
	}
	until := time.Now().Add(wait)
	for {
		entries, at, err = e.readOn(ctx, at, limit)
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

// beginFeed returns the place after everything committed.
func (e *Engine) beginFeed(ctx context.Context) (at place, err error) {
	err = e.call(ctx, "feed", func(ctx context.Context) error {
		for {
			var foreign bool
			err := e.work.QueryRow(ctx, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text, "+historyOf+", server <> "+serverOf+" FROM feed_pruned").
				Scan(&at.xid, &at.history, &foreign)
			if err != nil || !foreign {
				return err
			}
			if err := e.adoptFeed(ctx); err != nil {
				return err
			}
		}
	})
	return at, err
}

// adoptFeed empties a feed that was copied from another server.
func (e *Engine) adoptFeed(ctx context.Context) error {
	e.options.Log.Info("the jobs store comes from another server: its change feed begins anew")
	_, err := e.work.Exec(ctx, `WITH mine AS (UPDATE feed_pruned SET xid = '0', id = 0, server = `+serverOf+` WHERE server <> `+serverOf+` RETURNING 1)
		DELETE FROM feed WHERE EXISTS (SELECT FROM mine)`)
	return err
}

// feedRow is a row of the feed, without entries if there is none.
type feedRow struct {
	place
	entry    engine.Entry // without the payload
	payloads [][]byte
}

// readOn reads up to limit entries after a place.
func (e *Engine) readOn(ctx context.Context, at place, limit int) (entries []engine.Entry, next place, err error) {
	next = at
	for more := true; more; {
		var part []engine.Entry
		if part, next, more, err = e.readFeed(ctx, next, limit-len(entries)); err != nil {
			return nil, at, err
		}
		entries = append(entries, part...)
	}
	return entries, next, nil
}

// readFeed reads once; more says that there may be more within the limit. It uses the connections of lanes, whose plans are
// by index, however the feed has grown.
func (e *Engine) readFeed(ctx context.Context, at place, limit int) (entries []engine.Entry, next place, more bool, err error) {
	most := limit/entriesARow + 1 // rows: as many as are needed when they are full
	after := at.id
	if at.read > 0 {
		after-- // the row again
	}
	var list []feedRow
	err = e.call(ctx, "feed", func(ctx context.Context) error {
		rows, err := e.hot.Query(ctx, `SELECT p.missed, p.foreign, `+historyOf+`, coalesce(f.xid::text, ''), coalesce(f.id, 0), coalesce(f.job, 0), coalesce(f.origin, ''), f.payloads,
				coalesce((SELECT extract(epoch FROM clock_timestamp() - h.at) FROM feed h
					WHERE h.xid >= pg_snapshot_xmin(pg_current_snapshot()) ORDER BY h.xid, h.id LIMIT 1), 0)::float8
			FROM (SELECT (xid, id) > ($1::text::xid8, $2) OR $1::text::xid8 > pg_snapshot_xmax(pg_current_snapshot()) AS missed,
				server <> `+serverOf+` AS foreign FROM feed_pruned) p LEFT JOIN LATERAL (
				SELECT * FROM feed WHERE (xid, id) > ($1::text::xid8, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())
				ORDER BY xid, id LIMIT $3) f ON NOT (p.missed OR p.foreign)
			ORDER BY f.xid, f.id`, at.xid, after, most)
		missed, foreign, history, lag := false, false, "", 0.0
		list, err = collect(rows, err, func(rows pgx.Rows, r *feedRow) error {
			return rows.Scan(&missed, &foreign, &history, &r.xid, &r.id, &r.entry.Job, &r.entry.Origin, &r.payloads, &lag)
		})
		switch {
		case err != nil:
			return err
		case foreign || history != at.history:
			e.jobs.clear() // another job may now have the row and version of a cached one
			return engine.ErrMissed
		case missed:
			return engine.ErrMissed
		}
		e.lag.Store(int64(lag * float64(time.Second)))
		return nil
	})
	if err != nil {
		return nil, at, false, err
	}
	entries, next = flatten(list, at, limit)
	return entries, next, len(list) == most && len(list[0].payloads) > 0 && len(entries) < limit, nil
}

// flatten returns up to limit entries of rows after a place, and the place after them.
func flatten(rows []feedRow, at place, limit int) (entries []engine.Entry, next place) {
	next = at
	for _, r := range rows {
		skip := 0
		if r.xid == at.xid && r.id == at.id {
			skip = min(at.read, len(r.payloads))
		}
		for i, payload := range r.payloads[skip:] {
			if len(entries) == limit {
				return entries, next
			}
			entry := r.entry
			entry.Payload = payload
			entries, next = append(entries, entry), place{at.history, r.xid, r.id, skip + i + 1}
		}
		if len(r.payloads) > 0 {
			next.read = 0 // the whole row
		}
	}
	return entries, next
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

// Lag returns the age of the oldest entry of the feed that readers could not see yet when this handle last read; 0 if there
// was none. A transaction of any program on the server that began before the entry and is still open holds it back.
func (e *Engine) Lag() time.Duration { return time.Duration(e.lag.Load()) }

// Publish implements engine.Tx.
func (t *tx) Publish(entries []engine.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	jobs, origins, payloads := make([]int64, len(entries)), make([]string, len(entries)), make([][]byte, len(entries))
	for i, entry := range entries {
		jobs[i], origins[i], payloads[i] = entry.Job, entry.Origin, append([]byte{}, entry.Payload...)
	}
	err := t.exec(`INSERT INTO feed (job, origin, payloads)
		SELECT job, origin, array_agg(payload ORDER BY n) FROM unnest($1::bigint[], $2::text[], $3::bytea[]) WITH ORDINALITY AS p (job, origin, payload, n)
		GROUP BY job, origin, n / $4 ORDER BY min(n)`,
		jobs, origins, payloads, entriesARow)
	if err != nil {
		return fmt.Errorf("cannot publish %d entries: %w", len(entries), err)
	}
	return nil
}
