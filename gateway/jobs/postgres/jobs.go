package postgres

import (
	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// jobColumns are those of a table j.
const jobColumns = "j.seq, j.id, j.version, j.status, j.selection, j.sweep, j.namespace, j.active, j.created, j.ended, j.serial, j.record"

func jobFields(j *engine.Job) []any {
	return []any{
		&j.Seq, &j.ID, &j.Version, &j.Status, &j.Selection, &j.Sweep, &j.Namespace, &j.Active, &j.Created, &j.Ended, &j.Serial, &j.Record,
	}
}

// stateQuery reads jobs j with their progress and counts; conditions on j are appended.
const stateQuery = "SELECT " + jobColumns + `, p.notified, p.chunks, p.started, p.done, p.swept, p.pace, p.target, p.at_group, p.at_thing,
	p.sweep_thing, c.counts,
	ARRAY(SELECT r.is_group FROM targets r WHERE r.job = j.seq ORDER BY r.position),
	ARRAY(SELECT r.ref FROM targets r WHERE r.job = j.seq ORDER BY r.position)
	FROM jobs j JOIN progress p ON p.job = j.seq,
	LATERAL (SELECT ` + sums + ` AS counts FROM counts c WHERE c.job = j.seq) c WHERE `

// sums adds up the shards of a table c.
const sums = `ARRAY[coalesce(sum(c.c0), 0), coalesce(sum(c.c1), 0), coalesce(sum(c.c2), 0), coalesce(sum(c.c3), 0),
	coalesce(sum(c.c4), 0), coalesce(sum(c.c5), 0), coalesce(sum(c.c6), 0), coalesce(sum(c.c7), 0)]::bigint[]`

func (e *Engine) scanState(rows pgx.Rows, s *engine.State) error {
	j, p := new(engine.Job), &s.Progress
	var counts, refs []int64
	var isGroup []bool
	err := rows.Scan(append(jobFields(j), &p.Notified, &p.Chunks, &p.Started, &p.Done, &p.Swept, &p.Pace, &p.Target,
		&p.AtGroup, &p.AtThing, &p.SweepThing, &counts, &isGroup, &refs)...)
	if err != nil {
		return err
	}
	s.Job = e.jobs.put(j)
	copy(p.Counts[:], counts)
	for i := range refs {
		s.Targets = append(s.Targets, engine.Target{Group: isGroup[i], ID: refs[i]})
	}
	return nil
}

func (t *tx) states(where string, args ...any) ([]engine.State, error) {
	rows, err := t.query(stateQuery+where, args...)
	return collect(rows, err, t.engine.scanState)
}

// Job implements engine.JobReader.
func (t *tx) Job(id string) (engine.State, error) {
	lock := ""
	if t.writes {
		lock = " FOR UPDATE OF j"
	}
	list, err := t.states("j.id = $1"+lock, id)
	if err == nil && len(list) == 0 {
		err = engine.ErrNotFound
	}
	if err != nil {
		return engine.State{}, err
	}
	return list[0], nil
}

// ListJobs implements engine.JobReader.
func (t *tx) ListJobs(q engine.JobQuery, before int64, limit int) ([]engine.State, error) {
	var f filter
	if before != 0 {
		f.and("j.seq < ?", before)
	}
	if q.Active {
		f.where = append(f.where, "j.active")
	}
	if q.Status != 0 {
		f.and("j.status = ?", int16(q.Status))
	}
	if q.Selection != 0 {
		f.and("j.selection = ?", int16(q.Selection))
	}
	if q.Namespace != "" {
		f.and("j.namespace = ?", q.Namespace)
	}
	if q.EndedBefore != 0 {
		f.and("j.ended <> 0 AND j.ended < ?", q.EndedBefore)
	}
	const target = "EXISTS (SELECT FROM targets r JOIN groups g ON g.id = r.ref WHERE r.job = j.seq AND r.is_group AND g."
	if q.GroupName != "" {
		f.and(target+"name = ?)", q.GroupName)
	}
	if q.GroupUUID != "" {
		f.and(target+"uuid = ?)", q.GroupUUID)
	}
	return t.states(f.String()+" ORDER BY j.seq DESC"+f.limited(limit), f.args...)
}

// Targeting implements engine.JobReader.
func (t *tx) Targeting(q engine.TargetQuery) ([]engine.State, error) {
	var f filter
	f.and("j.seq = ANY(ARRAY(SELECT r.job FROM targets r WHERE r.is_group AND r.ref = ANY(?::bigint[])))", q.Groups)
	f.and("j.status = ANY(?::smallint[])", statusArray(q.Statuses))
	if q.Selection != 0 {
		f.and("j.selection = ?", int16(q.Selection))
	}
	return t.states(f.String()+" ORDER BY j.seq", f.args...)
}

// InsertJob implements engine.Tx.
func (t *tx) InsertJob(j *engine.Job, targets []engine.Target) error {
	rows, err := t.query(`INSERT INTO jobs (id, version, status, selection, sweep, namespace, active, created, ended, serial, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nextval('serials'), $10)
		ON CONFLICT (id) DO NOTHING RETURNING seq, serial`,
		j.ID, j.Version, int16(j.Status), int16(j.Selection), int16(j.Sweep), j.Namespace, j.Active, j.Created, j.Ended, j.Record)
	made, err := collect(rows, err, func(rows pgx.Rows, x *[2]int64) error { return rows.Scan(&x[0], &x[1]) })
	if err != nil {
		return err
	}
	if len(made) == 0 {
		return engine.ErrExists
	}
	j.Seq, j.Serial = made[0][0], made[0][1]
	if err := t.exec(`INSERT INTO progress VALUES ($1, 0, 0, false, false, false, 0, 0, 0, 0, 0)`, j.Seq); err != nil {
		return err
	}
	return t.addTargets(j.Seq, targets)
}

// addTargets appends targets to the existing ones.
func (t *tx) addTargets(job int64, targets []engine.Target) error {
	if len(targets) == 0 {
		return nil
	}
	isGroup, refs := make([]bool, len(targets)), make([]int64, len(targets))
	for i, goal := range targets {
		isGroup[i], refs[i] = goal.Group, goal.ID
	}
	return t.exec(`INSERT INTO targets (job, position, is_group, ref)
		SELECT $1, h.n + r.n, r.is_group, r.ref
		FROM unnest($2::boolean[], $3::bigint[]) WITH ORDINALITY r (is_group, ref, n),
			(SELECT coalesce(max(position), 0) AS n FROM targets WHERE job = $1) h`, job, isGroup, refs)
}

// PutJob implements engine.Tx.
func (t *tx) PutJob(j *engine.Job, add []engine.Target) error {
	err := t.exec(`UPDATE jobs SET version = $2, status = $3, selection = $4, sweep = $5, namespace = $6, active = $7, created = $8, ended = $9,
		record = $10 WHERE seq = $1`,
		j.Seq, j.Version, int16(j.Status), int16(j.Selection), int16(j.Sweep), j.Namespace, j.Active, j.Created, j.Ended, j.Record)
	if err != nil {
		return err
	}
	return t.addTargets(j.Seq, add)
}

// PutProgress implements engine.Tx.
func (t *tx) PutProgress(job int64, p *engine.Progress) error {
	return t.exec(`UPDATE progress SET notified = $2, chunks = $3, started = $4, done = $5, swept = $6, pace = $7, target = $8, at_group = $9,
		at_thing = $10, sweep_thing = $11 WHERE job = $1`,
		job, p.Notified, p.Chunks, p.Started, p.Done, p.Swept, p.Pace, p.Target, p.AtGroup, p.AtThing, p.SweepThing)
}

// DeleteJob implements engine.Tx. The lines of ended executions were deleted with the executions.
func (t *tx) DeleteJob(job int64) error {
	return t.exec(`WITH a AS (DELETE FROM targets WHERE job = $1), b AS (DELETE FROM progress WHERE job = $1),
		c AS (DELETE FROM counts WHERE job = $1), d AS (DELETE FROM ended WHERE job = $1),
		e AS (DELETE FROM reasons WHERE job = $1)
		DELETE FROM jobs WHERE seq = $1`, job)
}
