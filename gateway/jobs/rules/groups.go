package rules

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// liveGroup finds a thing group by its name.
func liveGroup(r engine.Reader, name string) (engine.Group, error) {
	rows, err := liveGroups(r, []string{name})
	if err != nil {
		return engine.Group{}, err
	}
	return rows[0], nil
}

// liveGroups finds thing groups, in the order of their names in the list.
func liveGroups(r engine.Reader, names []string) ([]engine.Group, error) {
	if len(names) == 0 {
		return nil, nil
	}
	rows, err := r.Groups(names)
	if err != nil {
		return nil, err
	}
	known := make(map[string]engine.Group, len(rows))
	for _, row := range rows {
		known[row.Name] = row
	}
	list := make([]engine.Group, len(names))
	for i, name := range names {
		row, ok := known[name]
		if !ok {
			return nil, noGroup(name)
		}
		list[i] = row
	}
	return list, nil
}

// CreateGroup implements jobs.ThingStore.
func (s *Store) CreateGroup(ctx context.Context, g jobs.Group, tags []jobs.Tag) error {
	attributes, err := groupAttributes(&g)
	if err != nil {
		return err
	}
	return s.update(ctx, 1, func(t engine.Tx) error {
		row := engine.Group{
			Name: g.Name, UUID: g.ID, Description: g.Description, Attributes: attributes,
			Version: g.Version, Created: millis(g.CreatedAt),
		}
		if g.Parent != "" {
			parent, err := liveGroup(t, g.Parent)
			if errors.Is(err, jobs.ErrNotFound) { // the operation does not list ErrNotFound's exception
				err = jobs.Errorf(jobs.ErrInvalidRequest, "The parent thing group %s does not exist.", g.Parent)
			}
			if err != nil {
				return err
			}
			if len(parent.Above)+2 > jobs.MaxGroupDepth {
				return jobs.Errorf(jobs.ErrInvalidRequest, "Thing groups can be nested at most %d deep.", jobs.MaxGroupDepth)
			}
			if err := roomBelow(t, &parent); err != nil {
				return err
			}
			row.Parent = parent.ID
		}
		err := t.PutGroups([]engine.Group{row})
		if errors.Is(err, engine.ErrExists) {
			err = jobs.Errorf(jobs.ErrAlreadyExists, "Thing group %s already exists.", g.Name)
		}
		if err != nil {
			return err
		}
		return setTags(t, jobs.Resource{Kind: jobs.KindGroup, Name: g.Name}, tags)
	})
}

func groupAttributes(g *jobs.Group) (string, error) {
	if err := g.Validate(); err != nil {
		return "", err
	}
	return encodeMap(g.Attributes)
}

// roomBelow returns an error if a group cannot have one more child.
func roomBelow(r engine.Reader, parent *engine.Group) error {
	children, err := r.ListGroups(engine.GroupQuery{ByParent: true, Parent: parent.ID}, "", jobs.MaxChildGroups)
	if err == nil && len(children) >= jobs.MaxChildGroups {
		err = jobs.Errorf(jobs.ErrInvalidRequest, "Thing group %s has %d direct child groups, the limit.", parent.Name, jobs.MaxChildGroups)
	}
	return err
}

func groupOf(row *engine.Group) (jobs.Group, error) {
	attributes, err := decodeMap(row.Attributes)
	g := jobs.Group{
		Name: row.Name, ID: row.UUID, Description: row.Description, Attributes: attributes,
		Version: row.Version, CreatedAt: instant(row.Created),
	}
	for i := len(row.Above) - 1; i >= 0; i-- {
		g.Ancestors = append(g.Ancestors, row.Above[i].Name)
	}
	if len(row.Above) > 0 {
		g.Parent = row.Above[0].Name
	}
	return g, err
}

// Group implements jobs.ThingStore.
func (s *Store) Group(ctx context.Context, name string) (g jobs.Group, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		row, err := liveGroup(r, name)
		if err == nil {
			g, err = groupOf(&row)
		}
		return err
	})
	return g, err
}

// UpdateGroup implements jobs.ThingStore.
func (s *Store) UpdateGroup(ctx context.Context, name string, version int64, change func(*jobs.Group)) (now int64, err error) {
	err = s.update(ctx, 1, func(t engine.Tx) error {
		row, err := liveGroup(t, name)
		if err != nil {
			return err
		}
		if err := expected("Thing group", name, row.Version, version); err != nil {
			return err
		}
		group, err := groupOf(&row)
		if err != nil {
			return err
		}
		change(&group)
		row.Version++
		row.Description, now = group.Description, row.Version
		if row.Attributes, err = groupAttributes(&group); err != nil {
			return err
		}
		return t.PutGroups([]engine.Group{row})
	})
	return now, err
}

// Groups implements jobs.ThingStore.
func (s *Store) Groups(ctx context.Context, q jobs.GroupQuery, p jobs.Page) (list []jobs.Group, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		which := engine.GroupQuery{Prefix: q.Prefix, ByParent: !q.Recursive}
		if q.Parent != "" {
			parent, err := liveGroup(r, q.Parent)
			if err != nil {
				return err
			}
			if q.Recursive {
				which.Below = parent.ID
			} else {
				which.Parent = parent.ID
			}
		}
		list, next, err = listGroups(r, which, p)
		return err
	})
	return list, next, err
}

func listGroups(r engine.Reader, q engine.GroupQuery, p jobs.Page) (list []jobs.Group, next string, err error) {
	rows, err := r.ListGroups(q, p.After, p.Limit+1)
	if err != nil {
		return nil, "", err
	}
	rows, next = page(rows, p.Limit, func(row *engine.Group) string { return row.Name })
	list = make([]jobs.Group, len(rows))
	for i := range rows {
		if list[i], err = groupOf(&rows[i]); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

// GroupsOf implements jobs.ThingStore.
func (s *Store) GroupsOf(ctx context.Context, thing string, p jobs.Page) (list []jobs.Group, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		row, err := liveThing(r, thing)
		if err == nil {
			list, next, err = listGroups(r, engine.GroupQuery{Of: row.ID}, p)
		}
		return err
	})
	return list, next, err
}

// Members implements jobs.ThingStore. The order is by group and by the things' numbers; a thing in several groups of the
// family is listed in the first.
func (s *Store) Members(ctx context.Context, name string, recursive bool, p jobs.Page) (list []string, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		root, err := liveGroup(r, name)
		if err != nil {
			return err
		}
		family := []int64{root.ID}
		if recursive {
			families, err := r.Families(family)
			if err != nil {
				return err
			}
			family = families[0]
		}
		w := engine.Walk{Distinct: true, Names: true, Limit: p.Limit + 1}
		group, after := pair(p.After)
		for i, id := range family {
			w.Stops = append(w.Stops, engine.Target{Group: true, ID: id})
			if id <= group {
				w.At = i
			}
		}
		if len(family) > 0 && family[w.At] == group {
			w.After = after
		} else if group > 0 && family[w.At] < group {
			w.At++ // the cursor's group was deleted
		}
		visits, err := r.Walk(w)
		if err != nil {
			return err
		}
		visits, next = page(visits, p.Limit, func(v *engine.Visit) string { return cursor(family[v.Stop], v.Thing) })
		list = make([]string, len(visits))
		for i := range visits {
			list[i] = visits[i].Name
		}
		return nil
	})
	return list, next, err
}

// DeleteGroup implements jobs.ThingStore.
func (s *Store) DeleteGroup(ctx context.Context, name string, version int64, _ time.Time) error {
	return s.update(ctx, 1, func(t engine.Tx) error {
		row, err := liveGroup(t, name)
		if err != nil {
			return err
		}
		if version != 0 && version != row.Version {
			return jobs.Errorf(jobs.ErrVersionConflict, "Thing group %s has version %d, expected was %d.", name, row.Version, max(version, 0))
		}
		children, err := t.ListGroups(engine.GroupQuery{ByParent: true, Parent: row.ID}, "", 1)
		if err != nil {
			return err
		}
		if len(children) > 0 {
			return jobs.Errorf(jobs.ErrInvalidRequest, "Thing group %s has child groups.", name)
		}
		row.State = engine.GroupEnding
		if err := t.PutGroups([]engine.Group{row}); err != nil {
			return err
		}
		return removeTags(t, jobs.Resource{Kind: jobs.KindGroup, Name: name})
	})
}

// SweepGroups implements jobs.ThingStore.
func (s *Store) SweepGroups(ctx context.Context, limit int, now time.Time) (removed []jobs.Execution, more bool, err error) {
	ending := engine.GroupQuery{State: engine.GroupEnding}
	none := true
	err = s.view(ctx, func(r engine.Reader) error {
		rows, err := r.ListGroups(ending, "", 1)
		none = len(rows) == 0
		return err
	})
	if err != nil || none {
		return nil, false, err
	}
	err = s.background(ctx, limit, func(t engine.Tx) error {
		rows, err := t.ListGroups(ending, "", 2)
		if err != nil || len(rows) == 0 {
			removed, more = nil, false
			return err
		}
		done := false
		if removed, done, err = sweepGroup(t, rows[0], limit, now); err != nil {
			return err
		}
		more = !done || len(rows) > 1
		return s.publishExecutions(t, removed)
	})
	return removed, more, err
}

// sweepGroup ends memberships of a deleted group. The last chunk removes its row, unless jobs name it.
func sweepGroup(t engine.Tx, g engine.Group, limit int, now time.Time) (removed []jobs.Execution, done bool, err error) {
	visits, err := t.Walk(engine.Walk{
		Stops: []engine.Target{{Group: true, ID: g.ID}}, Ending: true, Names: true, Limit: limit,
	})
	if err != nil {
		return nil, false, err
	}
	if len(visits) > 0 {
		m := move{tx: t, remove: []engine.Group{g}, now: now}
		for i := range visits {
			m.things = append(m.things, engine.Thing{ID: visits[i].Thing, Name: visits[i].Name})
		}
		result, err := m.run()
		if err != nil {
			return nil, false, err
		}
		removed = result.Removed
	}
	if len(visits) == limit {
		return removed, false, nil
	}
	g.State = engine.GroupEnded
	if err := t.PutGroups([]engine.Group{g}); err != nil {
		return nil, false, err
	}
	return removed, true, t.PurgeGroups([]int64{g.ID})
}
