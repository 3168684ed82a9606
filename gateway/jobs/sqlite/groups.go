package sqlite

import (
	"encoding/json"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

const groupColumns = "id, name, uuid, parent, description, attributes, version, created, deleted"

func scanGroup(stmt *sqlite.Stmt) engine.Group {
	return engine.Group{
		ID: stmt.ColumnInt64(0), Name: stmt.ColumnText(1), UUID: stmt.ColumnText(2), Parent: stmt.ColumnInt64(3),
		Description: stmt.ColumnText(4), Attributes: stmt.ColumnText(5), Version: stmt.ColumnInt64(6),
		Created: stmt.ColumnInt64(7), State: engine.GroupState(stmt.ColumnInt64(8)),
	}
}

// Groups implements engine.ThingReader.
func (r reader) Groups(names []string) (list []engine.Group, err error) {
	for _, name := range names {
		err := query(r.conn, "SELECT "+groupColumns+" FROM groups WHERE name = ? AND deleted = 0", func(stmt *sqlite.Stmt) error {
			list = append(list, scanGroup(stmt))
			return nil
		}, name)
		if err != nil {
			return nil, err
		}
	}
	return list, r.addAncestors(list)
}

// addAncestors sets Above of groups, with one query for all.
func (r reader) addAncestors(list []engine.Group) error {
	parents := make([]int64, 0, len(list))
	for i := range list {
		if list[i].Parent != 0 {
			parents = append(parents, list[i].Parent)
		}
	}
	lines, err := r.lines(parents)
	for i := range list {
		list[i].Above = lines[list[i].Parent]
	}
	return err
}

// lines returns each group's line of ancestors, the group itself first, by the group's id.
func (r reader) lines(groups []int64) (map[int64][]engine.Ancestor, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	lines := make(map[int64][]engine.Ancestor, len(groups))
	ids, err := json.Marshal(groups)
	if err != nil {
		return nil, err
	}
	err = query(r.conn, `WITH RECURSIVE up (of, id, name, parent, depth) AS (
			SELECT id, id, name, parent, 0 FROM groups WHERE id IN (SELECT value FROM json_each(?))
			UNION ALL SELECT up.of, g.id, g.name, g.parent, up.depth + 1 FROM groups g JOIN up ON g.id = up.parent
		) SELECT of, id, name FROM up ORDER BY of, depth`, func(stmt *sqlite.Stmt) error {
		of := stmt.ColumnInt64(0)
		lines[of] = append(lines[of], engine.Ancestor{ID: stmt.ColumnInt64(1), Name: stmt.ColumnText(2)})
		return nil
	}, string(ids))
	return lines, err
}

// family is a group and all its live descendants, as a subquery over ?1.
const family = `WITH RECURSIVE down (id) AS (
	SELECT ?1 UNION ALL SELECT g.id FROM groups g JOIN down ON g.parent = down.id WHERE g.deleted = 0
)`

// ListGroups implements engine.ThingReader.
func (r reader) ListGroups(q engine.GroupQuery, after string, limit int) (list []engine.Group, err error) {
	from := int64(0)
	which := "?1 = 0"
	switch {
	case q.Below != 0:
		which, from = "id IN (SELECT id FROM down) AND id <> ?1", q.Below
	case q.ByParent:
		which, from = "parent = ?1", q.Parent
	}
	err = query(r.conn, family+" SELECT "+groupColumns+" FROM groups WHERE "+which+`
			AND deleted = ?2 AND name > ?3 AND substr(name, 1, length(?4)) = ?4
			AND (?5 = 0 OR id IN (SELECT grp FROM members WHERE thing = ?5)) ORDER BY name, id LIMIT ?6`,
		func(stmt *sqlite.Stmt) error {
			list = append(list, scanGroup(stmt))
			return nil
		}, from, int64(q.State), after, q.Prefix, q.Of, limit)
	if err != nil {
		return nil, err
	}
	return list, r.addAncestors(list)
}

// Families implements engine.ThingReader.
func (r reader) Families(groups []int64) ([][]int64, error) {
	families := make([][]int64, len(groups))
	for i, id := range groups {
		err := numbers(r.conn, family+" SELECT id FROM down ORDER BY id", func(stmt *sqlite.Stmt) error {
			families[i] = append(families[i], stmt.ColumnInt64(0))
			return nil
		}, id)
		if err != nil {
			return nil, err
		}
	}
	return families, nil
}

// PutGroups implements engine.Tx.
func (t *tx) PutGroups(groups []engine.Group) error {
	for i := range groups {
		g := &groups[i]
		if g.ID != 0 {
			err := query(t.conn, `UPDATE groups SET name = ?, uuid = ?, parent = ?, description = ?, attributes = ?,
				version = ?, created = ?, deleted = ? WHERE id = ?`, nil,
				g.Name, g.UUID, g.Parent, g.Description, g.Attributes, g.Version, g.Created, int64(g.State), g.ID)
			if err != nil {
				return err
			}
			continue
		}
		id, found, err := value(t.conn, `INSERT INTO groups (name, uuid, parent, description, attributes, version, created, deleted)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
			g.Name, g.UUID, g.Parent, g.Description, g.Attributes, g.Version, g.Created, int64(g.State))
		if err != nil {
			return err
		}
		if !found {
			return engine.ErrExists
		}
		g.ID = id
	}
	return nil
}

// PurgeGroups implements engine.Tx.
func (t *tx) PurgeGroups(ids []int64) error {
	for _, id := range ids {
		err := numbers(t.conn, `DELETE FROM groups WHERE id = ?1 AND deleted = 2
			AND NOT EXISTS (SELECT 1 FROM targets WHERE is_group = 1 AND ref = ?1)`, nil, id)
		if err != nil {
			return err
		}
	}
	return nil
}

// Memberships implements engine.ThingReader.
func (r reader) Memberships(things []int64) (list []engine.Membership, err error) {
	for _, thing := range things {
		err := numbers(r.conn, `SELECT m.grp, g.deleted FROM members m JOIN groups g ON g.id = m.grp
			WHERE m.thing = ? AND g.deleted <> 2`, func(stmt *sqlite.Stmt) error {
			list = append(list, engine.Membership{
				Thing: thing, Group: stmt.ColumnInt64(0), State: engine.GroupState(stmt.ColumnInt64(1)),
			})
			return nil
		}, thing)
		if err != nil {
			return nil, err
		}
	}
	above := make(map[int64][]int64)
	groups := make([]int64, 0, len(list))
	for i := range list {
		groups = append(groups, list[i].Group)
	}
	lines, err := r.lines(groups)
	if err != nil {
		return nil, err
	}
	for group, line := range lines {
		for _, a := range line[1:] {
			above[group] = append(above[group], a.ID)
		}
	}
	for i := range list {
		list[i].Above = above[list[i].Group]
	}
	return list, nil
}

// MoveMembers implements engine.Tx.
func (t *tx) MoveMembers(add, remove []engine.Member) (joined []engine.Member, err error) {
	serial, _, err := value(t.conn, "UPDATE meta SET value = value + 1 WHERE name = 'serial' RETURNING value")
	if err != nil {
		return nil, err
	}
	for _, m := range remove {
		if err := numbers(t.conn, "DELETE FROM members WHERE grp = ? AND thing = ?", nil, m.Group, m.Thing); err != nil {
			return nil, err
		}
	}
	for _, m := range add {
		err := numbers(t.conn, "INSERT INTO members (grp, thing, serial) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", nil,
			m.Group, m.Thing, serial)
		if err != nil {
			return nil, err
		}
		if t.conn.Changes() > 0 {
			joined = append(joined, m)
		}
	}
	return joined, nil
}
