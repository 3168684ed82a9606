package postgres

import (
	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// maxStops is how many stops of a walk one statement covers; it reads up to the walk's limit from each.
const maxStops = 64

// Walk implements engine.ThingReader. Stops that are single things are many and cost one look-up each, so a statement
// covers all that follow each other.
func (t *tx) Walk(w engine.Walk) ([]engine.Visit, error) {
	var visits []engine.Visit
	for at := w.At; at < len(w.Stops) && len(visits) < w.Limit; {
		end, groups := at, 0
		for end < len(w.Stops) && end-at < w.Limit && (!w.Stops[end].Group || groups < maxStops) {
			if w.Stops[end].Group {
				groups++
			}
			end++
		}
		more, err := t.walk(&w, at, end, w.Limit-len(visits))
		if err != nil {
			return nil, err
		}
		visits = append(visits, more...)
		at = end
	}
	return visits, nil
}

// walk covers the stops from at to end. LIMIT 1 turns joins into look-ups: a merge join would read all things before.
func (t *tx) walk(w *engine.Walk, at, end, limit int) ([]engine.Visit, error) {
	isGroup, ids := make([]bool, end), make([]int64, end)
	for i, goal := range w.Stops[:end] {
		isGroup[i], ids[i] = goal.Group, goal.ID
	}
	after := int64(0)
	if at == w.At {
		after = w.After
	}
	distinct := w.Distinct && end > 1 // there are stops before another
	args := []any{isGroup, ids, at, after, limit, w.Ending, w.BySerial, w.Serial, w.Job, distinct}
	rows, err := t.query(`WITH stops AS MATERIALIZED (
			SELECT s.n - 1 AS n, s.is_group, s.id, CASE WHEN s.n - 1 = $3 THEN $4::bigint ELSE 0 END AS after
			FROM unnest($1::boolean[], $2::bigint[]) WITH ORDINALITY s (is_group, id, n)),
		met AS (
			SELECT s.n, v.thing FROM stops s, LATERAL (
				(SELECT m.thing FROM members m JOIN groups g ON g.id = m.grp, LATERAL (SELECT x.deleted FROM things x WHERE x.id = m.thing LIMIT 1) t
				WHERE s.is_group AND m.grp = s.id AND m.thing > s.after AND NOT t.deleted
					AND (g.state = 0 OR ($6 AND g.state = 1)) AND (NOT $7 OR m.serial <= $8)
					AND (NOT $10 OR NOT EXISTS (SELECT FROM stops b WHERE b.n < s.n AND NOT b.is_group AND b.id = m.thing))
					AND (NOT $10 OR NOT EXISTS (
						SELECT FROM members o JOIN stops b ON b.is_group AND b.id = o.grp JOIN groups h ON h.id = o.grp
						WHERE o.thing = m.thing AND b.n < s.n AND h.state = 0))
				ORDER BY m.thing LIMIT $5)
				UNION ALL
				SELECT t.id FROM things t
				WHERE NOT s.is_group AND t.id = s.id AND t.id > s.after AND NOT t.deleted
					AND (NOT $10 OR NOT EXISTS (SELECT FROM stops b WHERE b.n < s.n AND NOT b.is_group AND b.id = t.id))
					AND (NOT $10 OR NOT EXISTS (
						SELECT FROM members o JOIN stops b ON b.is_group AND b.id = o.grp JOIN groups h ON h.id = o.grp
						WHERE o.thing = t.id AND b.n < s.n AND h.state = 0))
			) v WHERE s.n >= $3
			ORDER BY s.n, v.thing LIMIT $5)
		SELECT met.n, t.name, met.thing, e.thing IS NOT NULL, coalesce(e.number, 0), coalesce(e.version, 0), coalesce(e.status, 0::smallint),
			coalesce(e.forced, false), coalesce(e.retry, 0), coalesce(e.retry_timed_out, 0), coalesce(e.queued, 0), coalesce(e.started, 0),
			coalesce(e.updated, 0), coalesce(e.deadline, 0), coalesce(e.step, 0), coalesce(e.details, '')
		FROM met JOIN things t ON t.id = met.thing
		LEFT JOIN LATERAL (SELECT * FROM executions x WHERE $9 <> 0 AND x.thing = met.thing AND x.job = $9 LIMIT 1) e ON true
		ORDER BY met.n, met.thing`, args...)
	return collect(rows, err, func(rows pgx.Rows, v *engine.Visit) error {
		var x engine.Execution
		var found bool
		err := rows.Scan(&v.Stop, &v.Name, &v.Thing, &found, &x.Number, &x.Version, &x.Status, &x.Forced, &x.Retry, &x.RetryTimedOut,
			&x.Queued, &x.Started, &x.Updated, &x.Deadline, &x.Step, &x.Details)
		if !w.Names {
			v.Name = ""
		}
		if found {
			x.Job, x.Thing = w.Job, v.Thing
			v.Found = &x
		}
		return err
	})
}
