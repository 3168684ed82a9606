package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// group finds a thing group by its name.
func group(c *sqlite.Conn, name string) (id, version int64, err error) {
	err = query(c, "SELECT id, version FROM groups WHERE name = ? AND deleted = 0", func(stmt *sqlite.Stmt) error {
		id, version = stmt.ColumnInt64(0), stmt.ColumnInt64(1)
		return nil
	}, name)
	if err == nil && id == 0 {
		err = noGroup(name)
	}
	return id, version, err
}

// lineage calls each with a group and its ancestors, the group first.
func lineage(c *sqlite.Conn, id int64, each func(id int64, name string)) error {
	return numbers(c, `WITH RECURSIVE up (id, name, parent, depth) AS (
			SELECT id, name, parent, 0 FROM groups WHERE id = ?
			UNION ALL SELECT g.id, g.name, g.parent, up.depth + 1 FROM groups g JOIN up ON g.id = up.parent
		) SELECT id, name FROM up ORDER BY depth`, func(stmt *sqlite.Stmt) error {
		each(stmt.ColumnInt64(0), stmt.ColumnText(1))
		return nil
	}, id)
}

// family is a group and all its descendants, as a subquery over ?1.
const family = `WITH RECURSIVE down (id) AS (
	SELECT ?1 UNION ALL SELECT g.id FROM groups g JOIN down ON g.parent = down.id WHERE g.deleted = 0
)`

// CreateGroup implements jobs.ThingStore.
func (s *Store) CreateGroup(ctx context.Context, g jobs.Group, tags []jobs.Tag) error {
	return s.write(ctx, func(t *tx) error {
		var parent int64
		if g.Parent != "" {
			var err error
			if parent, _, err = group(t.conn, g.Parent); err != nil {
				return err
			}
			depth := 1
			if err := lineage(t.conn, parent, func(int64, string) { depth++ }); err != nil {
				return err
			}
			if depth > jobs.MaxGroupDepth {
				return jobs.Errorf(jobs.ErrInvalidRequest, "Thing groups may stand at most %d deep.", jobs.MaxGroupDepth)
			}
		}
		attributes, err := encodeMap(g.Attributes)
		if err != nil {
			return err
		}
		err = query(t.conn, `INSERT INTO groups (name, uuid, parent, description, attributes, version, created)
			VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, nil,
			g.Name, g.ID, parent, g.Description, attributes, g.Version, millis(g.CreatedAt))
		if err != nil {
			return err
		}
		if t.conn.Changes() == 0 {
			return jobs.Errorf(jobs.ErrAlreadyExists, "Thing group %s already exists.", g.Name)
		}
		return t.setTags(jobs.Resource{Kind: jobs.KindGroup, Name: g.Name}, tags)
	})
}

const groupColumns = "id, name, uuid, description, attributes, version, created"

// scanGroups reads the groups that a statement yields, with their ancestors.
func scanGroups(c *sqlite.Conn, limit int, text string, args ...any) (list []jobs.Group, more bool, err error) {
	var ids []int64
	err = query(c, text, func(stmt *sqlite.Stmt) error {
		if len(list) == limit {
			more = true
			return nil
		}
		g := jobs.Group{
			Name: stmt.ColumnText(1), ID: stmt.ColumnText(2), Description: stmt.ColumnText(3),
			Version: stmt.ColumnInt64(5), CreatedAt: instant(stmt.ColumnInt64(6)),
		}
		var err error
		g.Attributes, err = decodeMap(stmt.ColumnText(4))
		list, ids = append(list, g), append(ids, stmt.ColumnInt64(0))
		return err
	}, args...)
	for i := 0; i < len(list) && err == nil; i++ {
		g := &list[i]
		err = lineage(c, ids[i], func(id int64, name string) {
			if id != ids[i] {
				g.Ancestors = append([]string{name}, g.Ancestors...)
			}
		})
		if n := len(g.Ancestors); n > 0 {
			g.Parent = g.Ancestors[n-1]
		}
	}
	return list, more, err
}

// Group implements jobs.ThingStore.
func (s *Store) Group(ctx context.Context, name string) (g jobs.Group, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		list, _, err := scanGroups(c, 1, "SELECT "+groupColumns+" FROM groups WHERE name = ? AND deleted = 0", name)
		if err == nil && len(list) == 0 {
			err = noGroup(name)
		}
		if err == nil {
			g = list[0]
		}
		return err
	})
	return g, err
}

// Groups implements jobs.ThingStore.
func (s *Store) Groups(ctx context.Context, q jobs.GroupQuery, p jobs.Page) (list []jobs.Group, next string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		var parent int64
		var err error
		if q.Parent != "" {
			if parent, _, err = group(c, q.Parent); err != nil {
				return err
			}
		}
		which := "parent = ?1"
		switch {
		case q.Recursive && q.Parent != "":
			which = "id IN (SELECT id FROM down) AND id <> ?1"
		case q.Recursive:
			which = "?1 = 0"
		}
		var more bool
		list, more, err = scanGroups(c, p.Limit, family+" SELECT "+groupColumns+" FROM groups WHERE "+which+
			" AND deleted = 0 AND name > ?2 AND substr(name, 1, length(?3)) = ?3 ORDER BY name LIMIT ?4",
			parent, p.After, q.Prefix, p.Limit+1)
		if more {
			next = list[len(list)-1].Name
		}
		return err
	})
	return list, next, err
}

// DeleteGroup implements jobs.ThingStore.
func (s *Store) DeleteGroup(ctx context.Context, name string, version int64, _ time.Time) error {
	return s.write(ctx, func(t *tx) error {
		id, have, err := group(t.conn, name)
		if err != nil {
			return err
		}
		if version != 0 && version != have {
			return jobs.Errorf(jobs.ErrVersionConflict, "Thing group %s has version %d, expected was %d.", name, have, max(version, 0))
		}
		children, _, err := value(t.conn, "SELECT count(*) FROM groups WHERE parent = ? AND deleted = 0", id)
		if err != nil {
			return err
		}
		if children > 0 {
			return jobs.Errorf(jobs.ErrInvalidRequest, "Thing group %s has child groups.", name)
		}
		if err := numbers(t.conn, "UPDATE groups SET deleted = 1 WHERE id = ?", nil, id); err != nil {
			return err
		}
		return t.removeTags(jobs.Resource{Kind: jobs.KindGroup, Name: name}, nil)
	})
}

// SweepGroups implements jobs.ThingStore.
func (s *Store) SweepGroups(ctx context.Context, limit int, now time.Time) (removed []jobs.Execution, more bool, err error) {
	deleted := int64(0)
	err = s.read(ctx, func(c *sqlite.Conn) error {
		deleted, _, err = value(c, "SELECT count(*) FROM groups WHERE deleted = 1")
		return err
	})
	if err != nil || deleted == 0 {
		return nil, false, err
	}
	err = s.writeSet(ctx, limit, func(t *tx) error {
		removed, more, err = t.sweepGroup(limit, now)
		return err
	})
	return removed, more, err
}

// sweepGroup ends memberships of one deleted group. The last chunk removes its row, or marks it as swept (2) when jobs
// name it.
func (t *tx) sweepGroup(limit int, now time.Time) ([]jobs.Execution, bool, error) {
	id, found, err := value(t.conn, "SELECT id FROM groups WHERE deleted = 1 ORDER BY id LIMIT 1")
	if err != nil || !found {
		return nil, false, err
	}
	var members []member
	err = numbers(t.conn, "SELECT m.thing, t.name FROM members m JOIN things t ON t.id = m.thing WHERE m.grp = ? ORDER BY m.thing LIMIT ?",
		func(stmt *sqlite.Stmt) error {
			members = append(members, member{stmt.ColumnInt64(0), stmt.ColumnText(1)})
			return nil
		}, id, int64(limit))
	if err != nil {
		return nil, false, err
	}
	var result jobs.MemberResult
	if len(members) > 0 {
		if err := t.moveMembers(&move{swept: id, now: now, result: &result}, members, nil, []int64{id}); err != nil {
			return nil, false, err
		}
	}
	if len(members) == limit {
		return result.Removed, true, nil
	}
	err = numbers(t.conn, "DELETE FROM groups WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM targets WHERE is_group = 1 AND ref = ?1)", nil, id)
	if err == nil && t.conn.Changes() == 0 {
		err = numbers(t.conn, "UPDATE groups SET deleted = 2 WHERE id = ?", nil, id)
	}
	if err != nil {
		return nil, false, err
	}
	rest, _, err := value(t.conn, "SELECT count(*) FROM groups WHERE deleted = 1")
	return result.Removed, rest > 0, err
}
