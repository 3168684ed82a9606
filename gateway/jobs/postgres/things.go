package postgres

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
)

const thingColumns = "id, name, uuid, type, billing, attributes, version, created, deleted"

func scanThing(rows pgx.Rows, x *engine.Thing) error {
	return rows.Scan(&x.ID, &x.Name, &x.UUID, &x.TypeName, &x.BillingGroup, &x.Attributes, &x.Version, &x.Created, &x.Deleted)
}

// Things implements engine.ThingReader.
func (t *tx) Things(names []string) ([]engine.Thing, error) {
	rows, err := t.query("SELECT "+thingColumns+" FROM things WHERE name = ANY($1::text[]) ORDER BY name", names)
	return collect(rows, err, scanThing)
}

// filter collects the conditions of a query and their arguments.
type filter struct {
	where []string
	args  []any
}

// and adds a condition, in which ? stands for the argument.
func (f *filter) and(condition string, arg any) {
	f.args = append(f.args, arg)
	f.where = append(f.where, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(f.args))))
}

func (f *filter) String() string {
	if len(f.where) == 0 {
		return "true"
	}
	return strings.Join(f.where, " AND ")
}

// limited adds the limit and returns the clause.
func (f *filter) limited(limit int) string {
	f.args = append(f.args, limit)
	return fmt.Sprintf(" LIMIT $%d", len(f.args))
}

// prefix is the LIKE pattern for values that begin with text.
func prefix(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// ListThings implements engine.ThingReader.
func (t *tx) ListThings(q engine.ThingQuery, after string, limit int) ([]engine.Thing, error) {
	f := filter{where: []string{"NOT deleted"}}
	f.and("name > ?", after)
	if q.TypeName != "" {
		f.and("type = ?", q.TypeName)
	}
	if q.AttributeName != "" {
		f.and("jsonb_exists(nullif(attributes, '')::jsonb, ?)", q.AttributeName)
		value := fmt.Sprintf("nullif(attributes, '')::jsonb ->> $%d", len(f.args))
		switch {
		case q.AttributePrefix:
			f.and(value+" LIKE ?", prefix(q.AttributeValue))
		case q.AttributeValue != "" || q.ByValue:
			f.and(value+" = ?", q.AttributeValue)
		}
	}
	rows, err := t.query("SELECT "+thingColumns+" FROM things WHERE "+f.String()+" ORDER BY name"+f.limited(limit), f.args...)
	return collect(rows, err, scanThing)
}

// PutThings implements engine.Tx.
func (t *tx) PutThings(things []engine.Thing) error {
	var fresh, known []*engine.Thing
	for i := range things {
		if things[i].ID == 0 {
			fresh = append(fresh, &things[i])
		} else {
			known = append(known, &things[i])
		}
	}
	if len(known) > 0 {
		c := thingArrays(known)
		ids := make([]int64, len(known))
		for i, x := range known {
			ids[i] = x.ID
		}
		err := t.exec(`UPDATE things t SET name = n.name, uuid = n.uuid, type = n.type, billing = n.billing,
				attributes = n.attributes, version = n.version, created = n.created, deleted = n.deleted
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::boolean[], $9::bigint[])
				AS n (name, uuid, type, billing, attributes, version, created, deleted, id)
			WHERE t.id = n.id`, append(c, ids)...)
		if err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	rows, err := t.query(`INSERT INTO things (name, uuid, type, billing, attributes, version, created, deleted)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::boolean[])
		ON CONFLICT (name) DO NOTHING RETURNING id, name`, thingArrays(fresh)...)
	made, err := collect(rows, err, func(rows pgx.Rows, x *engine.Thing) error { return rows.Scan(&x.ID, &x.Name) })
	if err != nil {
		return err
	}
	if len(made) < len(fresh) {
		return engine.ErrExists
	}
	ids := make(map[string]int64, len(made))
	for i := range made {
		ids[made[i].Name] = made[i].ID
	}
	for _, x := range fresh {
		x.ID = ids[x.Name]
	}
	return nil
}

// thingArrays are things by column, but for their IDs.
func thingArrays(things []*engine.Thing) []any {
	n := len(things)
	names, uuids, types := make([]string, n), make([]string, n), make([]string, n)
	billing, attributes := make([]string, n), make([]string, n)
	versions, created, deleted := make([]int64, n), make([]int64, n), make([]bool, n)
	for i, x := range things {
		names[i], uuids[i], types[i], billing[i], attributes[i] = x.Name, x.UUID, x.TypeName, x.BillingGroup, x.Attributes
		versions[i], created[i], deleted[i] = x.Version, x.Created, x.Deleted
	}
	return []any{names, uuids, types, billing, attributes, versions, created, deleted}
}

// PurgeThings implements engine.Tx.
func (t *tx) PurgeThings(ids []int64) error {
	return t.exec(`DELETE FROM things t WHERE t.id = ANY($1::bigint[]) AND t.deleted
		AND NOT EXISTS (SELECT FROM executions e WHERE e.thing = t.id)
		AND NOT EXISTS (SELECT FROM attempts a WHERE a.thing = t.id)
		AND NOT EXISTS (SELECT FROM targets g WHERE g.ref = t.id AND NOT g.is_group)`, ids)
}
