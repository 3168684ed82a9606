package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/failure"
)

// reasonsOf counts reasons by the lines of ended executions that are still the latest.
const reasonsOf = `SELECT l.job, l.status, l.reason COLLATE "C" AS reason, count(*) AS n FROM ended l
	JOIN executions x ON x.thing = l.thing AND x.job = l.job AND x.number = l.number AND x.status = l.status
	WHERE l.reason <> '' GROUP BY 1, 2, 3`

// checks are queries that count inconsistencies.
var checks = []struct{ what, sql string }{
	{"jobs whose counts do not match their executions", `SELECT count(*) FROM (
		SELECT job, sum(c0) c0, sum(c1) c1, sum(c2) c2, sum(c3) c3, sum(c4) c4, sum(c5) c5, sum(c6) c6, sum(c7) c7 FROM counts GROUP BY job) c
		FULL JOIN (SELECT job, count(*) FILTER (WHERE status = 0) c0, count(*) FILTER (WHERE status = 1) c1, count(*) FILTER (WHERE status = 2) c2,
			count(*) FILTER (WHERE status = 3) c3, count(*) FILTER (WHERE status = 4) c4, count(*) FILTER (WHERE status = 5) c5,
			count(*) FILTER (WHERE status = 6) c6, count(*) FILTER (WHERE status = 7) c7 FROM executions GROUP BY job) e USING (job)
		WHERE (coalesce(c.c0, 0), coalesce(c.c1, 0), coalesce(c.c2, 0), coalesce(c.c3, 0), coalesce(c.c4, 0), coalesce(c.c5, 0), coalesce(c.c6, 0), coalesce(c.c7, 0))
		<> (coalesce(e.c0, 0), coalesce(e.c1, 0), coalesce(e.c2, 0), coalesce(e.c3, 0), coalesce(e.c4, 0), coalesce(e.c5, 0), coalesce(e.c6, 0), coalesce(e.c7, 0))`},
	{"executions of jobs that do not exist", `SELECT count(*) FROM executions e WHERE NOT EXISTS (SELECT FROM jobs WHERE seq = e.job)`},
	{"executions of things that do not exist", `SELECT count(*) FROM executions e WHERE NOT EXISTS (SELECT FROM things WHERE id = e.thing)`},
	{"attempts that no execution follows", `SELECT count(*) FROM attempts a WHERE NOT EXISTS (
		SELECT FROM executions e WHERE e.thing = a.thing AND e.job = a.job AND e.number > a.number)`},
	{"executions that ended without a line of it", `SELECT count(*) FROM executions e WHERE status >= 2 AND NOT EXISTS (
		SELECT FROM ended l WHERE l.job = e.job AND l.status = e.status AND l.thing = e.thing AND l.number = e.number)`},
	{"reasons whose counts are not those of executions", `SELECT count(*) FROM (
		SELECT job, status, reason, sum(n) AS n FROM reasons GROUP BY 1, 2, 3) r
		FULL JOIN (` + reasonsOf + `) e USING (job, status, reason) WHERE coalesce(r.n, 0) <> coalesce(e.n, 0)`},
	{"executions with two ends", `SELECT count(*) FROM (SELECT FROM ended GROUP BY job, thing, number HAVING count(*) > 1) l`},
	{"executions whose timer is not set, or another", `SELECT count(*) FROM executions e FULL JOIN timers t USING (thing, job)
		WHERE coalesce(t.due, 0) <> CASE WHEN coalesce(e.status, 2) >= 2 THEN 0 WHEN e.deadline = 0 OR (e.step <> 0 AND e.step < e.deadline) THEN e.step ELSE e.deadline END`},
	{"memberships of groups or things that do not exist", `SELECT count(*) FROM members m WHERE NOT EXISTS (SELECT FROM groups WHERE id = m.grp)
		OR NOT EXISTS (SELECT FROM things WHERE id = m.thing)`},
	{"targets that do not exist", `SELECT count(*) FROM targets t WHERE NOT EXISTS (SELECT FROM jobs WHERE seq = t.job)
		OR NOT CASE WHEN is_group THEN EXISTS (SELECT FROM groups WHERE id = t.ref) ELSE EXISTS (SELECT FROM things WHERE id = t.ref) END`},
	{"jobs without progress", `SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT FROM progress WHERE job = j.seq)`},
	{"jobs without a document", `SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT FROM kept WHERE space = 'document' AND key = j.seq::text)`},
}

// Check implements engine.Copier.
func (e *Engine) Check(ctx context.Context) (r engine.Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, copyTime)
	defer cancel()
	o := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, e.work, o, func(t pgx.Tx) error {
		r.Rows, r.Faults = map[string]int64{}, nil
		if err := t.QueryRow(ctx, "SELECT version FROM jobgate_schema").Scan(&r.Version); err != nil {
			return err
		}
		for i := range engine.Tables {
			name := engine.Tables[i].Name
			if name == "last" {
				continue
			}
			from := sources[name]
			if from == "" {
				from = name
			}
			var n int64
			if err := t.QueryRow(ctx, "SELECT count(*) FROM "+from+" x").Scan(&n); err != nil {
				return err
			}
			r.Rows[name] = n
		}
		for _, c := range checks {
			var n int64
			if err := t.QueryRow(ctx, c.sql).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				r.Faults = append(r.Faults, engine.Fault{What: c.what, Rows: n})
			}
		}
		return nil
	})
	return r, failure.Convert(err)
}
