package postgres

import (
	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

// groupQuery reads groups g with the names of their ancestors.
const groupQuery = `SELECT g.id, g.name, g.uuid, g.parent, g.description, g.attributes, g.version, g.created, g.state, g.above,
	ARRAY(SELECT coalesce(a.name, '') FROM unnest(g.above) WITH ORDINALITY u (id, n) LEFT JOIN groups a ON a.id = u.id ORDER BY u.n)
	FROM groups g WHERE `

func scanGroup(rows pgx.Rows, g *engine.Group) error {
	var ids []int64
	var names []string
	err := rows.Scan(&g.ID, &g.Name, &g.UUID, &g.Parent, &g.Description, &g.Attributes, &g.Version, &g.Created, &g.State, &ids, &names)
	for i := range ids {
		g.Above = append(g.Above, engine.Ancestor{ID: ids[i], Name: names[i]})
	}
	return err
}

// Groups implements engine.ThingReader.
func (t *tx) Groups(names []string) ([]engine.Group, error) {
	rows, err := t.query(groupQuery+"g.state = 0 AND g.name = ANY($1::text[]) ORDER BY g.name", names)
	return collect(rows, err, scanGroup)
}

// ListGroups implements engine.ThingReader.
func (t *tx) ListGroups(q engine.GroupQuery, after string, limit int) ([]engine.Group, error) {
	var f filter
	f.and("g.state = ?", int16(q.State))
	f.and("g.name > ?", after)
	if q.ByParent {
		f.and("g.parent = ?", q.Parent)
	}
	if q.Below != 0 {
		f.and("g.above @> ARRAY[?::bigint]", q.Below)
	}
	if q.Prefix != "" {
		f.and("g.name LIKE ?", prefix(q.Prefix))
	}
	if q.Of != 0 {
		f.and("EXISTS (SELECT FROM members m WHERE m.thing = ? AND m.grp = g.id)", q.Of)
	}
	rows, err := t.query(groupQuery+f.String()+" ORDER BY g.name, g.id"+f.limited(limit), f.args...)
	return collect(rows, err, scanGroup)
}

// Families implements engine.ThingReader.
func (t *tx) Families(groups []int64) ([][]int64, error) {
	rows, err := t.query(`SELECT r.n, r.id FROM unnest($1::bigint[]) WITH ORDINALITY r (id, n)
		UNION SELECT r.n, g.id FROM unnest($1::bigint[]) WITH ORDINALITY r (id, n)
			JOIN groups g ON g.above @> ARRAY[r.id] AND g.state = 0
		ORDER BY 1, 2`, groups)
	type line struct{ root, id int64 }
	lines, err := collect(rows, err, func(rows pgx.Rows, l *line) error { return rows.Scan(&l.root, &l.id) })
	families := make([][]int64, len(groups))
	for _, l := range lines {
		families[l.root-1] = append(families[l.root-1], l.id)
	}
	return families, err
}

// Memberships implements engine.ThingReader.
func (t *tx) Memberships(things []int64) ([]engine.Membership, error) {
	rows, err := t.query(`SELECT m.thing, m.grp, g.state, g.above FROM members m JOIN groups g ON g.id = m.grp AND g.state <> 2
		WHERE m.thing = ANY($1::bigint[])`, things)
	return collect(rows, err, func(rows pgx.Rows, m *engine.Membership) error {
		return rows.Scan(&m.Thing, &m.Group, &m.State, &m.Above)
	})
}

// PutGroups implements engine.Tx.
func (t *tx) PutGroups(groups []engine.Group) error {
	for i := range groups { // an operator's call changes one
		if err := t.putGroup(&groups[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) putGroup(g *engine.Group) error {
	if g.ID != 0 {
		return t.exec(`UPDATE groups SET name = $2, uuid = $3, description = $4, attributes = $5, version = $6, created = $7, state = $8
			WHERE id = $1`, g.ID, g.Name, g.UUID, g.Description, g.Attributes, g.Version, g.Created, int16(g.State))
	}
	rows, err := t.query(`INSERT INTO groups (name, uuid, parent, above, description, attributes, version, created, state)
		VALUES ($1, $2, $3, coalesce((SELECT $3::bigint || p.above FROM groups p WHERE p.id = $3), '{}'), $4, $5, $6, $7, $8)
		ON CONFLICT (name) WHERE state = 0 DO NOTHING RETURNING id`,
		g.Name, g.UUID, g.Parent, g.Description, g.Attributes, g.Version, g.Created, int16(g.State))
	ids, err := collect(rows, err, func(rows pgx.Rows, id *int64) error { return rows.Scan(id) })
	if err == nil && len(ids) == 0 {
		return engine.ErrExists
	}
	if err == nil {
		g.ID = ids[0]
	}
	return err
}

// PurgeGroups implements engine.Tx.
func (t *tx) PurgeGroups(ids []int64) error {
	return t.exec(`DELETE FROM groups g WHERE g.id = ANY($1::bigint[]) AND g.state = 2
		AND NOT EXISTS (SELECT FROM targets r WHERE r.ref = g.id AND r.is_group)`, ids)
}

// MoveMembers implements engine.Tx.
func (t *tx) MoveMembers(add, remove []engine.Member) ([]engine.Member, error) {
	if len(remove) > 0 {
		groups, things := memberArrays(remove)
		err := t.exec(`DELETE FROM members m USING unnest($1::bigint[], $2::bigint[]) AS r (grp, thing)
			WHERE m.grp = r.grp AND m.thing = r.thing`, groups, things)
		if err != nil {
			return nil, err
		}
	}
	if len(add) == 0 {
		return nil, nil
	}
	groups, things := memberArrays(add)
	rows, err := t.query(`INSERT INTO members (grp, thing, serial)
		SELECT DISTINCT a.grp, a.thing, s.serial
		FROM unnest($1::bigint[], $2::bigint[]) AS a (grp, thing), (SELECT nextval('serials') AS serial OFFSET 0) s
		ON CONFLICT (grp, thing) DO NOTHING RETURNING grp, thing`, groups, things)
	made, err := collect(rows, err, func(rows pgx.Rows, m *engine.Member) error { return rows.Scan(&m.Group, &m.Thing) })
	fresh := make(map[engine.Member]bool, len(made))
	for _, m := range made {
		fresh[m] = true
	}
	var joined []engine.Member
	for _, m := range add { // in the caller's order
		if fresh[m] {
			joined = append(joined, m)
			delete(fresh, m)
		}
	}
	return joined, err
}

func memberArrays(members []engine.Member) (groups, things []int64) {
	groups, things = make([]int64, len(members)), make([]int64, len(members))
	for i, m := range members {
		groups[i], things[i] = m.Group, m.Thing
	}
	return groups, things
}
