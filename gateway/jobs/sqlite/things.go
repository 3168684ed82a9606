package sqlite

import (
	"math"
	"strings"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

const thingColumns = "id, name, uuid, type, billing, attributes, version, created, deleted"

func scanThing(stmt *sqlite.Stmt) engine.Thing {
	return engine.Thing{
		ID: stmt.ColumnInt64(0), Name: stmt.ColumnText(1), UUID: stmt.ColumnText(2), TypeName: stmt.ColumnText(3),
		BillingGroup: stmt.ColumnText(4), Attributes: stmt.ColumnText(5), Version: stmt.ColumnInt64(6),
		Created: stmt.ColumnInt64(7), Deleted: stmt.ColumnBool(8),
	}
}

// Things implements engine.ThingReader.
func (r reader) Things(names []string) (list []engine.Thing, err error) {
	for _, name := range names {
		err = query(r.conn, "SELECT "+thingColumns+" FROM things WHERE name = ?", func(stmt *sqlite.Stmt) error {
			list = append(list, scanThing(stmt))
			return nil
		}, name)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ListThings implements engine.ThingReader.
func (r reader) ListThings(q engine.ThingQuery, after string, limit int) (list []engine.Thing, err error) {
	path := ""
	if q.AttributeName != "" {
		if strings.ContainsAny(q.AttributeName, `"\`) {
			return nil, nil // no attribute can have this name
		}
		path = `$."` + q.AttributeName + `"`
	}
	err = query(r.conn, "SELECT "+thingColumns+` FROM things WHERE deleted = 0 AND name > ?1 AND (?2 = '' OR type = ?2)
			AND (?3 = '' OR (attributes <> '' AND CASE ?5
				WHEN 1 THEN substr(json_extract(attributes, ?3), 1, length(?4)) = ?4
				ELSE json_extract(attributes, ?3) IS NOT NULL AND (?4 = '' AND NOT ?7 OR json_extract(attributes, ?3) = ?4) END))
		ORDER BY name LIMIT ?6`,
		func(stmt *sqlite.Stmt) error {
			list = append(list, scanThing(stmt))
			return nil
		}, after, q.TypeName, path, q.AttributeValue, flag(q.AttributePrefix), limit, flag(q.ByValue))
	return list, err
}

// PutThings implements engine.Tx.
func (t *tx) PutThings(things []engine.Thing) error {
	for i := range things {
		x := &things[i]
		if x.ID != 0 {
			err := query(t.conn, `UPDATE things SET name = ?, uuid = ?, type = ?, billing = ?, attributes = ?, version = ?,
				created = ?, deleted = ? WHERE id = ?`, nil,
				x.Name, x.UUID, x.TypeName, x.BillingGroup, x.Attributes, x.Version, x.Created, flag(x.Deleted), x.ID)
			if err != nil {
				return err
			}
			t.showThing(x)
			continue
		}
		id, found, err := value(t.conn, `INSERT INTO things (name, uuid, type, billing, attributes, version, created, deleted)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
			x.Name, x.UUID, x.TypeName, x.BillingGroup, x.Attributes, x.Version, x.Created, flag(x.Deleted))
		switch {
		case err != nil:
			return err
		case !found:
			return engine.ErrExists
		case id > math.MaxUint32 || len(x.Name) > math.MaxUint8: // the view's capacity
			return engine.ErrFull
		}
		x.ID = id
		t.showThing(x)
	}
	return nil
}

// showThing stages the addition or removal of a thing.
func (t *tx) showThing(x *engine.Thing) {
	id, name := x.ID, x.Name
	if x.Deleted {
		t.after(func() { t.view.RemoveThing(id) })
	} else {
		t.after(func() { t.view.AddThing(id, name) })
	}
}

// PurgeThings implements engine.Tx.
func (t *tx) PurgeThings(ids []int64) error {
	for _, id := range ids {
		err := numbers(t.conn, `DELETE FROM things WHERE id = ?1 AND deleted = 1
			AND NOT EXISTS (SELECT 1 FROM executions WHERE thing = ?1)
			AND NOT EXISTS (SELECT 1 FROM attempts WHERE thing = ?1)
			AND NOT EXISTS (SELECT 1 FROM targets WHERE is_group = 0 AND ref = ?1)`, nil, id)
		if err != nil {
			return err
		}
	}
	return nil
}
