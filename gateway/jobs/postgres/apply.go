package postgres

import (
	"cmp"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// swap replaces executions that still have the expected number and version, and updates what depends on them: counts,
// timers, lines of ended executions, entries of the feed. Keys are sorted and unique, so that two statements cannot
// deadlock. It returns the positions of the replaced ones.
//
// It is planned once, perhaps while there is one execution and no timer, and the plan must suit a million. So a row is looked
// up in a subquery, or by = ANY(ARRAY[x]), for which only the right index can be used. For a join by = with a small table,
// PostgreSQL would read the whole table in the order of an index, even after it has grown.
const swap = `WITH u AS (
	UPDATE executions e SET number = c.number, version = c.version, status = c.status, forced = c.forced, retry = c.retry,
		retry_timed_out = c.retry_timed_out, queued = c.queued, started = c.started, updated = c.updated, deadline = c.deadline,
		step = c.step, details = c.details
	FROM ROWS FROM (` + unnestExecutions + `, unnest($15::bigint[], $16::bigint[], $17::smallint[], $18::bigint[], $19::text[], $20::bytea[]))
		WITH ORDINALITY AS c (` + executionNames + `, was_number, was_version, was, timer, reason, entry, n),
		LATERAL (SELECT x.ctid FROM executions x WHERE x.thing = c.thing AND x.job = c.job OFFSET 0) x
	WHERE e.ctid = x.ctid AND e.number = c.was_number AND e.version = c.was_version
	RETURNING c.n, e.thing, e.job, e.number, e.status, c.was_number, c.was, c.timer, c.reason, c.entry),
counted AS (INSERT INTO counts SELECT job, $21,
	sum((status = 0)::int - (was = 0)::int), sum((status = 1)::int - (was = 1)::int),
	sum((status = 2)::int - (was = 2)::int), sum((status = 3)::int - (was = 3)::int),
	sum((status = 4)::int - (was = 4)::int), sum((status = 5)::int - (was = 5)::int),
	sum((status = 6)::int - (was = 6)::int), sum((status = 7)::int - (was = 7)::int)
	FROM u WHERE status <> was GROUP BY job ORDER BY job` + addCounts + `),
lines AS (INSERT INTO ended (job, status, thing, number, reason)
	SELECT job, status, thing, number, reason FROM u WHERE status >= 2 ON CONFLICT DO NOTHING),
reasoned AS (INSERT INTO reasons (job, status, reason, shard, n) SELECT job, status, reason, $21, sum(n) FROM (
		SELECT job, status, 1 AS n, CASE WHEN number > was_number OR was < 2 THEN reason ELSE coalesce((SELECT l.reason FROM ended l
			WHERE l.job = u.job AND l.status = u.status AND l.thing = u.thing AND l.number = u.number), reason) END AS reason
		FROM u WHERE status >= 2 AND (number <> was_number OR status <> was)
		UNION ALL SELECT job, was, -1, (SELECT l.reason FROM ended l
			WHERE l.job = u.job AND l.status = u.was AND l.thing = u.thing AND l.number = u.was_number)
		FROM u WHERE was >= 2 AND (number <> was_number OR status <> was)) r
	WHERE reason <> '' GROUP BY job, status, reason HAVING sum(n) <> 0 ORDER BY job, status, reason COLLATE "C"` + addReasons + `),
stopped AS (DELETE FROM timers t USING u WHERE u.timer = 0 AND t.thing = ANY(ARRAY[u.thing]) AND t.job = ANY(ARRAY[u.job])),
set AS (INSERT INTO timers AS t (thing, job, due) SELECT thing, job, timer FROM u WHERE timer <> 0
	ON CONFLICT (thing, job) DO UPDATE SET due = excluded.due WHERE t.due <> excluded.due),
told AS (INSERT INTO feed (job, origin, payloads) SELECT job, '', array_agg(entry ORDER BY n)
	FROM u WHERE entry IS NOT NULL GROUP BY job, n / $22 ORDER BY job, n / $22)
SELECT n FROM u`

const addCounts = ` ON CONFLICT (job, shard) DO UPDATE SET c0 = counts.c0 + excluded.c0, c1 = counts.c1 + excluded.c1,
	c2 = counts.c2 + excluded.c2, c3 = counts.c3 + excluded.c3, c4 = counts.c4 + excluded.c4, c5 = counts.c5 + excluded.c5,
	c6 = counts.c6 + excluded.c6, c7 = counts.c7 + excluded.c7`

const addReasons = ` ON CONFLICT (job, status, hash, shard) DO UPDATE SET n = reasons.n + excluded.n`

// swapArgs are changes as arguments of swap.
func swapArgs(changes []*engine.Change, shard int16) []any {
	var c columns
	n := len(changes)
	numbers, versions, was := make([]int64, n), make([]int64, n), make([]int16, n)
	timers, reasons, entries := make([]int64, n), make([]string, n), make([][]byte, n)
	for i, x := range changes {
		c.add(x.Key, &x.New)
		numbers[i], versions[i], was[i] = x.Number, x.Version, int16(x.Status)
		timers[i], reasons[i], entries[i] = x.New.Timer(), x.New.Reason, x.Entry
	}
	return append(c.args(), numbers, versions, was, timers, reasons, entries, shard, entriesARow)
}

// byKey is the order in which rows are locked.
func byKey(a, b *engine.Change) int {
	return cmp.Or(cmp.Compare(a.Thing, b.Thing), cmp.Compare(a.Job, b.Job))
}

func scanPlace(rows pgx.Rows, n *int64) error { return rows.Scan(n) }

// hot reports whether swap alone can make a change.
func hot(c *engine.Change) bool { return c.Number != 0 && c.JobVersion == 0 && c.Past == nil }

// Apply implements engine.Tx.
func (t *tx) Apply(changes []engine.Change) error {
	var swaps, inserts []*engine.Change
	guarded := make(map[int64]int64) // versions that jobs must still have
	for i := range changes {
		c := &changes[i]
		c.Applied, c.Found = false, nil
		if c.JobVersion != 0 {
			guarded[c.Job] = c.JobVersion
		}
		if c.Number == 0 {
			inserts = append(inserts, c)
		} else {
			swaps = append(swaps, c)
		}
	}
	if err := t.guard(guarded); err != nil {
		return err
	}
	keep := func(c *engine.Change) bool { return c.JobVersion != 0 && guarded[c.Job] != c.JobVersion }
	if err := t.swap(slices.DeleteFunc(swaps, keep)); err != nil {
		return err
	}
	return t.insert(slices.DeleteFunc(inserts, keep))
}

// guard locks jobs against changes until the transaction ends, and replaces versions by their current ones.
func (t *tx) guard(versions map[int64]int64) error {
	if len(versions) == 0 {
		return nil
	}
	rows, err := t.query("SELECT seq, version FROM jobs WHERE seq = ANY($1::bigint[]) ORDER BY seq FOR SHARE",
		slices.Sorted(maps.Keys(versions)))
	have, err := collect(rows, err, func(rows pgx.Rows, v *version) error { return rows.Scan(&v.seq, &v.version) })
	clear(versions)
	for _, v := range have {
		versions[v.seq] = v.version
	}
	return err
}

// swap replaces executions, and keeps the previous ones as attempts.
func (t *tx) swap(changes []*engine.Change) error {
	if len(changes) == 0 {
		return nil
	}
	slices.SortFunc(changes, byKey)
	rows, err := t.query(swap, swapArgs(changes, t.shard)...)
	places, err := collect(rows, err, scanPlace)
	if err != nil {
		return err
	}
	var past columns
	var reasons []string
	for _, n := range places {
		c := changes[n-1]
		c.Applied = true
		if c.Past != nil {
			past.add(c.Key, c.Past)
			reasons = append(reasons, c.Past.Reason)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return t.exec(`WITH a AS (INSERT INTO attempts SELECT * FROM `+unnestExecutions+`)
		INSERT INTO ended (thing, job, number, status, reason)
		SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $5::smallint[], $15::text[]) l (thing, job, number, status, reason)
		WHERE status >= 2 ON CONFLICT DO NOTHING`, append(past.args(), reasons)...)
}

// insert adds executions that do not exist yet.
func (t *tx) insert(changes []*engine.Change) error {
	if len(changes) == 0 {
		return nil
	}
	slices.SortFunc(changes, byKey)
	var c columns
	for _, x := range changes {
		c.add(x.Key, &x.New)
	}
	rows, err := t.query(`INSERT INTO executions SELECT c.* FROM `+unnestExecutions+` AS c (`+executionNames+`)
		WHERE EXISTS (SELECT FROM jobs j WHERE j.seq = c.job) ON CONFLICT (thing, job) DO NOTHING RETURNING thing, job`, c.args()...)
	made, err := collect(rows, err, func(rows pgx.Rows, k *engine.Key) error { return rows.Scan(&k.Thing, &k.Job) })
	if err != nil {
		return err
	}
	done := make(map[engine.Key]bool, len(made))
	for _, k := range made {
		done[k] = true
	}
	deltas := make(deltas)
	var follow follow
	var missed []engine.Key
	for _, x := range changes {
		if x.Applied = done[x.Key]; !x.Applied {
			missed = append(missed, x.Key)
			continue
		}
		deltas.add(x.Job, x.New.Status, 1)
		follow.add(x)
	}
	if err := t.count(deltas); err != nil {
		return err
	}
	if err := t.follow(&follow); err != nil {
		return err
	}
	return t.find(changes, missed)
}

// find sets Found of the changes that matched a row.
func (t *tx) find(changes []*engine.Change, keys []engine.Key) error {
	if len(keys) == 0 {
		return nil
	}
	rows, err := t.Executions(keys)
	found := make(map[engine.Key]*engine.Execution, len(rows))
	for i := range rows {
		found[engine.Key{Job: rows[i].Job, Thing: rows[i].Thing}] = &rows[i]
	}
	for _, c := range changes {
		if !c.Applied {
			c.Found = found[c.Key]
		}
	}
	return err
}

// follow collects the timers, lines and feed entries that inserted executions need.
type follow struct {
	timers  columns // thing, job, and the time as number
	ended   columns
	reasons []string
	entries []engine.Entry
}

func (f *follow) add(c *engine.Change) {
	if due := c.New.Timer(); due != 0 {
		f.timers.add(c.Key, &engine.Execution{Number: due})
	}
	if c.New.Status >= engine.FirstEnded {
		f.ended.add(c.Key, &c.New)
		f.reasons = append(f.reasons, c.New.Reason)
	}
	if c.Entry != nil {
		f.entries = append(f.entries, engine.Entry{Job: c.Job, Payload: c.Entry})
	}
}

func (t *tx) follow(f *follow) error {
	if len(f.timers.thing) > 0 {
		err := t.exec(`INSERT INTO timers (thing, job, due) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
			ON CONFLICT (thing, job) DO UPDATE SET due = excluded.due`, f.timers.thing, f.timers.job, f.timers.number)
		if err != nil {
			return err
		}
	}
	if len(f.reasons) > 0 {
		err := t.exec(`WITH l AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[])
				AS l (thing, job, number, status, reason)),
			r AS (INSERT INTO reasons (job, status, reason, shard, n) SELECT job, status, reason, $6, count(*) FROM l
				WHERE reason <> '' GROUP BY job, status, reason ORDER BY job, status, reason COLLATE "C"`+addReasons+`)
			INSERT INTO ended (thing, job, number, status, reason) SELECT * FROM l ON CONFLICT DO NOTHING`,
			f.ended.thing, f.ended.job, f.ended.number, f.ended.status, f.reasons, t.shard)
		if err != nil {
			return err
		}
	}
	return t.Publish(f.entries)
}

// deltas are added to jobs' counts.
type deltas map[int64]*engine.Counts

func (d deltas) add(job int64, status uint8, n int64) {
	if d[job] == nil {
		d[job] = new(engine.Counts)
	}
	d[job][status] += n
}

// count adds to the transaction's shard.
func (t *tx) count(d deltas) error {
	if len(d) == 0 {
		return nil
	}
	jobs := slices.Sorted(maps.Keys(d))
	var by [engine.Statuses][]int64
	for _, job := range jobs {
		for status, n := range d[job] {
			by[status] = append(by[status], n)
		}
	}
	return t.exec(`INSERT INTO counts SELECT d.job, $2, d.c0, d.c1, d.c2, d.c3, d.c4, d.c5, d.c6, d.c7
		FROM unnest($1::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
			AS d (job, c0, c1, c2, c3, c4, c5, c6, c7)`+addCounts,
		jobs, t.shard, by[0], by[1], by[2], by[3], by[4], by[5], by[6], by[7])
}
