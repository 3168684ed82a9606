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
		id, _, err := group(c, name)
		if err != nil {
			return err
		}
		atGroup, atThing := int64(0), int64(0)
		if p.After != "" {
			atGroup, atThing = cursor(p.After)
		}
		groups := "(SELECT ?1 AS id)"
		if recursive {
			groups = "down"
		}
		var lastGroup, lastThing int64
		return numbers(c, family+` SELECT m.grp, m.thing, t.name FROM `+groups+` d CROSS JOIN members m ON m.grp = d.id
				JOIN things t ON t.id = m.thing
			WHERE (m.grp, m.thing) > (?2, ?3) AND NOT EXISTS (
				SELECT 1 FROM members o WHERE o.thing = m.thing AND o.grp < m.grp AND o.grp IN (SELECT id FROM `+groups+`))
			ORDER BY m.grp, m.thing LIMIT ?4`,
			func(stmt *sqlite.Stmt) error {
				if len(list) == p.Limit {
					next = strconv.FormatInt(lastGroup, 10) + "." + strconv.FormatInt(lastThing, 10)
					return nil
				}
				lastGroup, lastThing = stmt.ColumnInt64(0), stmt.ColumnInt64(1)
				list = append(list, stmt.ColumnText(2))
				return nil
			}, id, atGroup, atThing, int64(p.Limit)+1)
	})
	return list, next, err
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
