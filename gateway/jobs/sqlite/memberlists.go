package sqlite

import (
	"context"
	"strconv"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// Members implements jobs.ThingStore. The order is by group and by the things' ids; a thing in several groups of the
// family shows in the first.
func (s *Store) Members(ctx context.Context, name string, recursive bool, p jobs.Page) (list []string, next string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		root, _, err := group(c, name)
		if err != nil {
			return err
		}
		groups := []int64{root}
		if recursive {
			if groups, err = familyOf(c, root); err != nil {
				return err
			}
		}
		list, next, err = membersOf(c, root, groups, p)
		return err
	})
	return list, next, err
}

// familyOf returns a group and its descendants, by id.
func familyOf(c *sqlite.Conn, root int64) (ids []int64, err error) {
	err = numbers(c, family+" SELECT id FROM down ORDER BY id", func(stmt *sqlite.Stmt) error {
		ids = append(ids, stmt.ColumnInt64(0))
		return nil
	}, root)
	return ids, err
}

// membersOf lists the members of groups, which are a root alone or its family. The cursor is the last group and thing.
func membersOf(c *sqlite.Conn, root int64, groups []int64, p jobs.Page) (list []string, next string, err error) {
	atGroup, atThing := int64(0), int64(0)
	if p.After != "" {
		atGroup, atThing = cursor(p.After)
	}
	var lastGroup, lastThing int64
	for _, id := range groups {
		if id < atGroup {
			continue
		}
		if id > atGroup {
			atThing = 0
		}
		err := numbers(c, family+` SELECT m.thing, t.name FROM members m JOIN things t ON t.id = m.thing
			WHERE m.grp = ?2 AND m.thing > ?3 AND (?2 = ?1 OR NOT EXISTS (
				SELECT 1 FROM members o WHERE o.thing = m.thing AND o.grp < ?2 AND o.grp IN (SELECT id FROM down)))
			ORDER BY m.thing LIMIT ?4`,
			func(stmt *sqlite.Stmt) error {
				if len(list) == p.Limit {
					next = strconv.FormatInt(lastGroup, 10) + "." + strconv.FormatInt(lastThing, 10)
					return nil
				}
				lastGroup, lastThing = id, stmt.ColumnInt64(0)
				list = append(list, stmt.ColumnText(1))
				return nil
			}, root, id, atThing, int64(p.Limit-len(list))+1)
		if err != nil || next != "" {
			return list, next, err
		}
	}
	return list, "", nil
}

// GroupsOf implements jobs.ThingStore.
func (s *Store) GroupsOf(ctx context.Context, thing string, p jobs.Page) (list []jobs.Group, next string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		id, known, err := value(c, "SELECT id FROM things WHERE name = ? AND deleted = 0", thing)
		if err != nil {
			return err
		}
		if !known {
			return noThing(thing)
		}
		var more bool
		list, more, err = scanGroups(c, p.Limit, "SELECT "+groupColumns+` FROM groups
			WHERE deleted = 0 AND name > ? AND id IN (SELECT grp FROM members WHERE thing = ?) ORDER BY name LIMIT ?`,
			p.After, id, p.Limit+1)
		if more {
			next = list[len(list)-1].Name
		}
		return err
	})
	return list, next, err
}
