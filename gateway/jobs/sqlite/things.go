package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// CreateThings implements jobs.ThingStore.
func (s *Store) CreateThings(ctx context.Context, things []jobs.Thing) error {
	return s.writeSet(ctx, len(things), func(t *tx) error {
		for i := range things {
			if err := t.createThing(&things[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxThingName bounds a thing's name (AWS.md §4); the view counts on it.
const maxThingName = 128

// createThing adds a thing. One of that name that was deleted, and is still named by executions, comes back to life.
func (t *tx) createThing(th *jobs.Thing) error {
	if n := len(th.Name); n < 1 || n > maxThingName {
		return jobs.Errorf(jobs.ErrInvalidRequest, "A thing's name has 1 to %d characters, not %d.", maxThingName, n)
	}
	attributes, err := encodeMap(th.Attributes)
	if err != nil {
		return err
	}
	id, _, err := value(t.conn, `INSERT INTO things (name, uuid, type, billing, attributes, version, created)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO UPDATE SET
			uuid = ?2, type = ?3, billing = ?4, attributes = ?5, version = ?6, created = ?7, deleted = 0 WHERE deleted = 1
		RETURNING id`,
		th.Name, th.ID, th.TypeName, th.BillingGroup, attributes, th.Version, millis(th.CreatedAt))
	switch {
	case err != nil:
		return err
	case t.conn.Changes() == 0:
		return jobs.Errorf(jobs.ErrAlreadyExists, "Thing %s already exists.", th.Name)
	case id > math.MaxUint32:
		return jobs.Errorf(jobs.ErrLimitExceeded, "The store has room for %d things in its lifetime.", uint32(math.MaxUint32))
	}
	name := th.Name
	t.after(func() { t.view.addThing(id, name) })
	return nil
}

const thingColumns = "name, uuid, type, billing, attributes, version, created"

func scanThing(stmt *sqlite.Stmt) (jobs.Thing, error) {
	t := jobs.Thing{
		Name: stmt.ColumnText(0), ID: stmt.ColumnText(1), TypeName: stmt.ColumnText(2), BillingGroup: stmt.ColumnText(3),
		Version: stmt.ColumnInt64(5), CreatedAt: instant(stmt.ColumnInt64(6)),
	}
	var err error
	t.Attributes, err = decodeMap(stmt.ColumnText(4))
	return t, err
}

// Thing implements jobs.ThingStore.
func (s *Store) Thing(ctx context.Context, name string) (thing jobs.Thing, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found := false
		err := query(c, "SELECT "+thingColumns+" FROM things WHERE name = ? AND deleted = 0", func(stmt *sqlite.Stmt) (err error) {
			found = true
			thing, err = scanThing(stmt)
			return err
		}, name)
		if err == nil && !found {
			err = noThing(name)
		}
		return err
	})
	return thing, err
}

// Things implements jobs.ThingStore.
func (s *Store) Things(ctx context.Context, q jobs.ThingQuery, p jobs.Page) (list []jobs.Thing, next string, err error) {
	path := ""
	if q.AttributeName != "" {
		if strings.ContainsAny(q.AttributeName, `"\`) {
			return nil, "", nil // no attribute has such a name
		}
		path = `$."` + q.AttributeName + `"`
	}
	err = s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT "+thingColumns+` FROM things WHERE deleted = 0 AND name > ?1 AND (?2 = '' OR type = ?2)
				AND (?3 = '' OR (attributes <> '' AND CASE ?5
					WHEN 1 THEN substr(json_extract(attributes, ?3), 1, length(?4)) = ?4
					ELSE json_extract(attributes, ?3) IS NOT NULL AND (?4 = '' OR json_extract(attributes, ?3) = ?4) END))
			ORDER BY name LIMIT ?6`,
			func(stmt *sqlite.Stmt) error {
				if len(list) == p.Limit {
					next = list[len(list)-1].Name
					return nil
				}
				thing, err := scanThing(stmt)
				list = append(list, thing)
				return err
			}, p.After, q.TypeName, path, q.AttributeValue, flag(q.AttributePrefix), p.Limit+1)
	})
	return list, next, err
}

// DeleteThing implements jobs.ThingStore.
func (s *Store) DeleteThing(ctx context.Context, name string, version int64, now time.Time) (removed []jobs.Execution, err error) {
	err = s.write(ctx, func(t *tx) error {
		removed, err = t.deleteThing(name, version, now)
		return err
	})
	return removed, err
}

func (t *tx) deleteThing(name string, version int64, now time.Time) ([]jobs.Execution, error) {
	id, have, err := t.thing(name)
	if err != nil {
		return nil, err
	}
	if version != 0 && version != have {
		return nil, jobs.Errorf(jobs.ErrVersionConflict, "Thing %s has version %d, expected was %d.", name, have, max(version, 0))
	}
	removed, err := t.removeAll(id, name, now)
	if err != nil {
		return nil, err
	}
	if err := numbers(t.conn, "DELETE FROM members WHERE thing = ?", nil, id); err != nil {
		return nil, err
	}
	err = numbers(t.conn, `DELETE FROM things WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM executions WHERE thing = ?1)
		AND NOT EXISTS (SELECT 1 FROM targets WHERE is_group = 0 AND ref = ?1)`, nil, id)
	if err == nil && t.conn.Changes() == 0 { // executions or jobs name it
		err = numbers(t.conn, "UPDATE things SET deleted = 1, attributes = '' WHERE id = ?", nil, id)
	}
	t.after(func() { t.view.removeThing(id) })
	return removed, err
}

// thing finds a registered thing.
func (t *tx) thing(name string) (id, version int64, err error) {
	err = query(t.conn, "SELECT id, version FROM things WHERE name = ? AND deleted = 0", func(stmt *sqlite.Stmt) error {
		id, version = stmt.ColumnInt64(0), stmt.ColumnInt64(1)
		return nil
	}, name)
	if err == nil && id == 0 {
		err = noThing(name)
	}
	return id, version, err
}

// removeAll marks all pending executions of a thing REMOVED.
func (t *tx) removeAll(id int64, name string, now time.Time) ([]jobs.Execution, error) {
	var pending []row
	err := numbers(t.conn, "SELECT "+executionColumns+" FROM executions WHERE thing = ? AND status <= ? ORDER BY job",
		func(stmt *sqlite.Stmt) error {
			pending = append(pending, scanRow(stmt))
			return nil
		}, id, int64(jobs.InProgress))
	if err != nil {
		return nil, err
	}
	removed := make([]jobs.Execution, len(pending))
	for i := range pending {
		j, err := t.jobRow(pending[i].job)
		if err != nil {
			return nil, err
		}
		if removed[i], err = t.remove(j, &pending[i], name, now); err != nil {
			return nil, err
		}
	}
	return removed, nil
}

// remove marks a pending execution REMOVED.
func (t *tx) remove(j *jobRow, r *row, name string, now time.Time) (jobs.Execution, error) {
	before := r.execution(name, j.job)
	e := before.Remove(now)
	after := rowOf(&e, r.job, r.thing)
	if _, err := t.update(&after, r.number, r.version); err != nil {
		return e, err
	}
	t.count(r.job, r.status, -1)
	t.count(r.job, after.status, 1)
	t.drop(r.thing, r.job, nil)
	return e, nil
}

// jobRow reads a job by its number.
func (t *tx) jobRow(seq int64) (*jobRow, error) {
	var r *jobRow
	err := numbers(t.conn, "SELECT "+jobColumns+" FROM jobs WHERE seq = ?", func(stmt *sqlite.Stmt) (err error) {
		r, err = scanJob(stmt)
		return err
	}, seq)
	if err == nil && r == nil {
		err = fmt.Errorf("job %d is not there", seq)
	}
	return r, err
}

func encodeMap(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "", nil
	}
	text, err := json.Marshal(m)
	return string(text), err
}

func decodeMap(text string) (m map[string]string, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, errors.New("attributes are not JSON")
	}
	return m, nil
}
