package rules

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// maxThingName bounds a thing's name (AWS.md §4).
const maxThingName = 128

// CreateThings implements jobs.ThingStore. It revives the row of a deleted thing that executions still refer to.
func (s *Store) CreateThings(ctx context.Context, things []jobs.Thing) error {
	rows := make([]engine.Thing, len(things))
	names := make([]string, len(things))
	for i := range things {
		var err error
		if rows[i], err = thingRow(&things[i]); err != nil {
			return err
		}
		names[i] = rows[i].Name
	}
	return s.update(ctx, len(things), func(t engine.Tx) error {
		have, err := t.Things(names)
		if err != nil {
			return err
		}
		known := make(map[string]*engine.Thing, len(have))
		for i := range have {
			known[have[i].Name] = &have[i]
		}
		for i := range rows {
			rows[i].ID = 0
			if row := known[rows[i].Name]; row != nil {
				if !row.Deleted {
					return jobs.Errorf(jobs.ErrAlreadyExists, "Thing %s already exists.", row.Name)
				}
				rows[i].ID = row.ID
			}
			known[rows[i].Name] = &rows[i]
		}
		return t.PutThings(rows)
	})
}

func thingRow(t *jobs.Thing) (engine.Thing, error) {
	if n := len(t.Name); n < 1 || n > maxThingName {
		return engine.Thing{}, jobs.Errorf(jobs.ErrInvalidRequest, "A thing's name has 1 to %d characters, not %d.", maxThingName, n)
	}
	if err := t.Validate(); err != nil {
		return engine.Thing{}, err
	}
	attributes, err := encodeMap(t.Attributes)
	return engine.Thing{
		Name: t.Name, UUID: t.ID, TypeName: t.TypeName, BillingGroup: t.BillingGroup, Attributes: attributes,
		Version: t.Version, Created: millis(t.CreatedAt),
	}, err
}

func thingOf(row *engine.Thing) (jobs.Thing, error) {
	attributes, err := decodeMap(row.Attributes)
	return jobs.Thing{
		Name: row.Name, ID: row.UUID, TypeName: row.TypeName, BillingGroup: row.BillingGroup, Attributes: attributes,
		Version: row.Version, CreatedAt: instant(row.Created),
	}, err
}

// liveThing finds a registered thing.
func liveThing(r engine.Reader, name string) (engine.Thing, error) {
	rows, err := liveThings(r, []string{name})
	if err != nil {
		return engine.Thing{}, err
	}
	return rows[0], nil
}

// liveThings finds registered things, in the order of their names in the list.
func liveThings(r engine.Reader, names []string) ([]engine.Thing, error) {
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := r.Things(names)
	if err != nil {
		return nil, err
	}
	known := make(map[string]engine.Thing, len(rows))
	for _, row := range rows {
		known[row.Name] = row
	}
	list := make([]engine.Thing, len(names))
	for i, name := range names {
		row, ok := known[name]
		if !ok || row.Deleted {
			return nil, noThing(name)
		}
		list[i] = row
	}
	return list, nil
}

// Thing implements jobs.ThingStore.
func (s *Store) Thing(ctx context.Context, name string) (thing jobs.Thing, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		row, err := liveThing(r, name)
		if err == nil {
			thing, err = thingOf(&row)
		}
		return err
	})
	return thing, err
}

// Things implements jobs.ThingStore.
func (s *Store) Things(ctx context.Context, q jobs.ThingQuery, p jobs.Page) (list []jobs.Thing, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		rows, err := r.ListThings(q, p.After, p.Limit+1)
		if err != nil {
			return err
		}
		rows, next = page(rows, p.Limit, func(row *engine.Thing) string { return row.Name })
		list = make([]jobs.Thing, len(rows))
		for i := range rows {
			if list[i], err = thingOf(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, next, err
}

// DeleteThing implements jobs.ThingStore.
func (s *Store) DeleteThing(ctx context.Context, name string, version int64, now time.Time) (removed []jobs.Execution, err error) {
	err = s.update(ctx, 1, func(t engine.Tx) error {
		row, err := liveThing(t, name)
		if err != nil {
			return err
		}
		if err := expected("Thing", name, row.Version, version); err != nil {
			return err
		}
		if removed, err = removePending(t, row.ID, now); err != nil {
			return err
		}
		memberships, err := t.Memberships([]int64{row.ID})
		if err != nil {
			return err
		}
		if left := make([]engine.Member, len(memberships)); len(left) > 0 {
			for i, m := range memberships {
				left[i] = engine.Member{Group: m.Group, Thing: m.Thing}
			}
			if _, err := t.MoveMembers(nil, left); err != nil {
				return err
			}
		}
		row.Deleted, row.Attributes = true, ""
		if err := t.PutThings([]engine.Thing{row}); err != nil {
			return err
		}
		if err := t.PurgeThings([]int64{row.ID}); err != nil {
			return err
		}
		if err := s.publishExecutions(t, removed); err != nil {
			return err
		}
		return s.publish(t, jobs.Notice{Type: jobs.EventThingDeleted, At: millis(now), Thing: name})
	})
	return removed, err
}

// UpdateThing implements jobs.ThingStore.
func (s *Store) UpdateThing(ctx context.Context, name string, version int64, change func(*jobs.Thing)) error {
	return s.update(ctx, 1, func(t engine.Tx) error {
		row, err := liveThing(t, name)
		if err != nil {
			return err
		}
		if err := expected("Thing", name, row.Version, version); err != nil {
			return err
		}
		thing, err := thingOf(&row)
		if err != nil {
			return err
		}
		change(&thing)
		thing.Version++
		changed, err := thingRow(&thing)
		if err != nil {
			return err
		}
		changed.ID = row.ID
		return t.PutThings([]engine.Thing{changed})
	})
}

// expected returns an error if a record does not have the expected version; 0 matches any.
func expected(kind, name string, have, want int64) error {
	if want == 0 || want == have {
		return nil
	}
	return jobs.Errorf(jobs.ErrVersionConflict, "%s %s has version %d, expected was %d.", kind, name, have, max(want, 0))
}

// removePending marks all pending executions of a thing REMOVED.
func removePending(t engine.Tx, thing int64, now time.Time) ([]jobs.Execution, error) {
	pending, err := t.PendingOf([]int64{thing})
	if err != nil || len(pending) == 0 {
		return nil, err
	}
	removed, changes := make([]jobs.Execution, len(pending)), make([]engine.Change, len(pending))
	for i := range pending {
		before, err := executionOf(&pending[i])
		if err != nil {
			return nil, err
		}
		removed[i] = before.Remove(now)
		changes[i] = change(&before, &removed[i])
	}
	return removed, apply(t, changes)
}

// apply makes changes to rows that the transaction has just read.
func apply(t engine.Tx, changes []engine.Change) error {
	if len(changes) == 0 {
		return nil
	}
	if err := t.Apply(changes); err != nil {
		return err
	}
	for i := range changes {
		if !changes[i].Applied {
			return executionChanged
		}
	}
	return nil
}

// executionChanged is the error if an execution has changed since it was read.
var executionChanged = jobs.Errorf(jobs.ErrVersionConflict, "The job execution has changed.")

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
