package memory

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"jobgate/gateway/jobs/engine"
)

// Things implements engine.ThingReader.
func (t *tx) Things(names []string) (list []engine.Thing, err error) {
	t.called("Things")
	for _, name := range names {
		if id, ok := t.rows.thingByName[name]; ok {
			list = append(list, t.rows.things[id])
		}
	}
	return list, nil
}

// ListThings implements engine.ThingReader.
func (t *tx) ListThings(q engine.ThingQuery, after string, limit int) ([]engine.Thing, error) {
	t.called("ListThings")
	return where(t.rows.things, limit, func(a, b engine.Thing) int { return cmp.Compare(a.Name, b.Name) }, func(x *engine.Thing) bool {
		return !x.Deleted && x.Name > after && (q.TypeName == "" || x.TypeName == q.TypeName) && hasAttribute(x, &q)
	}), nil
}

func hasAttribute(x *engine.Thing, q *engine.ThingQuery) bool {
	if q.AttributeName == "" {
		return true
	}
	var attributes map[string]string
	if x.Attributes == "" || json.Unmarshal([]byte(x.Attributes), &attributes) != nil {
		return false
	}
	v, ok := attributes[q.AttributeName]
	if q.AttributePrefix {
		return ok && strings.HasPrefix(v, q.AttributeValue)
	}
	return ok && (q.AttributeValue == "" && !q.ByValue || v == q.AttributeValue)
}

// PutThings implements engine.Tx.
func (t *tx) PutThings(things []engine.Thing) error {
	t.called("PutThings")
	for i := range things {
		x := &things[i]
		if x.ID == 0 {
			if _, taken := t.rows.thingByName[x.Name]; taken {
				return engine.ErrExists
			}
			x.ID = next(&t.rows.lastThing)
			set(t, t.rows.thingByName, x.Name, x.ID)
		}
		set(t, t.rows.things, x.ID, *x)
	}
	return nil
}

// PurgeThings implements engine.Tx.
func (t *tx) PurgeThings(ids []int64) error {
	t.called("PurgeThings")
	named := make(map[int64]bool)
	for k := range t.rows.executions {
		named[k.Thing] = true
	}
	for k := range t.rows.attempts {
		named[k.Thing] = true
	}
	for _, id := range ids {
		if x := t.rows.things[id]; x.Deleted && !named[id] && !t.targeted(engine.Target{ID: id}) {
			unset(t, t.rows.things, id)
			unset(t, t.rows.thingByName, x.Name)
		}
	}
	return nil
}

func (t *tx) targeted(goal engine.Target) bool {
	for _, s := range t.rows.jobs {
		if slices.Contains(s.Targets, goal) {
			return true
		}
	}
	return false
}

// Groups implements engine.ThingReader.
func (t *tx) Groups(names []string) ([]engine.Group, error) {
	t.called("Groups")
	return t.groups(all, func(g *engine.Group) bool {
		return g.State == engine.GroupLive && slices.Contains(names, g.Name)
	}), nil
}

func (t *tx) groups(limit int, keep func(*engine.Group) bool) []engine.Group {
	list := where(t.rows.groups, limit, func(a, b engine.Group) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	}, keep)
	for i := range list {
		list[i].Above = nil
		for _, id := range t.above(list[i].ID) {
			list[i].Above = append(list[i].Above, engine.Ancestor{ID: id, Name: t.rows.groups[id].Name})
		}
	}
	return list
}

// above returns a group's ancestors, the parent first.
func (t *tx) above(id int64) (ids []int64) {
	for id = t.rows.groups[id].Parent; id != 0; id = t.rows.groups[id].Parent {
		ids = append(ids, id)
	}
	return ids
}

// ListGroups implements engine.ThingReader.
func (t *tx) ListGroups(q engine.GroupQuery, after string, limit int) ([]engine.Group, error) {
	t.called("ListGroups")
	return t.groups(limit, func(g *engine.Group) bool {
		_, member := t.rows.members[engine.Member{Group: g.ID, Thing: q.Of}]
		return g.State == q.State && g.Name > after && strings.HasPrefix(g.Name, q.Prefix) &&
			(!q.ByParent || g.Parent == q.Parent) && (q.Below == 0 || slices.Contains(t.above(g.ID), q.Below)) &&
			(q.Of == 0 || member)
	}), nil
}

// Families implements engine.ThingReader.
func (t *tx) Families(groups []int64) ([][]int64, error) {
	t.called("Families")
	families := make([][]int64, len(groups))
	for i, root := range groups {
		families[i] = append(families[i], root)
		for id, g := range t.rows.groups {
			if g.State == engine.GroupLive && slices.Contains(t.above(id), root) {
				families[i] = append(families[i], id)
			}
		}
		slices.Sort(families[i])
	}
	return families, nil
}

// PutGroups implements engine.Tx.
func (t *tx) PutGroups(groups []engine.Group) error {
	t.called("PutGroups")
	for i := range groups {
		g := &groups[i]
		if g.ID == 0 {
			for _, have := range t.rows.groups {
				if have.Name == g.Name && have.State == engine.GroupLive {
					return engine.ErrExists
				}
			}
			g.ID = next(&t.rows.lastGroup)
		}
		set(t, t.rows.groups, g.ID, *g)
	}
	return nil
}

// PurgeGroups implements engine.Tx.
func (t *tx) PurgeGroups(ids []int64) error {
	t.called("PurgeGroups")
	for _, id := range ids {
		if g, ok := t.rows.groups[id]; ok && g.State == engine.GroupEnded && !t.targeted(engine.Target{Group: true, ID: id}) {
			unset(t, t.rows.groups, id)
		}
	}
	return nil
}

// Memberships implements engine.ThingReader.
func (t *tx) Memberships(things []int64) (list []engine.Membership, err error) {
	t.called("Memberships")
	for m := range t.rows.members {
		if g := t.rows.groups[m.Group]; slices.Contains(things, m.Thing) && g.State != engine.GroupEnded {
			list = append(list, engine.Membership{Thing: m.Thing, Group: m.Group, State: g.State, Above: t.above(m.Group)})
		}
	}
	return list, nil
}

// MoveMembers implements engine.Tx.
func (t *tx) MoveMembers(add, remove []engine.Member) (joined []engine.Member, err error) {
	t.called("MoveMembers")
	serial := next(&t.rows.serial)
	for _, m := range remove {
		unset(t, t.rows.members, m)
	}
	for _, m := range add {
		if _, ok := t.rows.members[m]; !ok {
			set(t, t.rows.members, m, serial)
			joined = append(joined, m)
		}
	}
	return joined, nil
}

// Walk implements engine.ThingReader.
func (t *tx) Walk(w engine.Walk) ([]engine.Visit, error) {
	t.called("Walk")
	var visits []engine.Visit
	for at := w.At; at < len(w.Stops) && len(visits) < w.Limit; at++ {
		after := int64(0)
		if at == w.At {
			after = w.After
		}
		for _, id := range t.stop(&w, at, after) {
			if len(visits) == w.Limit {
				break
			}
			v := engine.Visit{Stop: at, Thing: id}
			if w.Names {
				v.Name = t.rows.things[id].Name
			}
			if x, ok := t.rows.executions[engine.Key{Job: w.Job, Thing: id}]; ok {
				v.Found = &x
			}
			visits = append(visits, v)
		}
	}
	return visits, nil
}

// stop returns the things of a stop behind one of them.
func (t *tx) stop(w *engine.Walk, at int, after int64) (ids []int64) {
	take := func(id int64) {
		if id <= after || t.rows.things[id].Deleted || t.rows.things[id].ID == 0 {
			return
		}
		for i := 0; w.Distinct && i < at; i++ {
			if t.has(w.Stops[i], id) {
				return
			}
		}
		ids = append(ids, id)
	}
	goal := w.Stops[at]
	if !goal.Group {
		take(goal.ID)
		return ids
	}
	for m, serial := range t.rows.members {
		state := t.rows.groups[goal.ID].State
		if m.Group == goal.ID && (t.has(goal, m.Thing) || (w.Ending && state == engine.GroupEnding)) && (!w.BySerial || serial <= w.Serial) {
			take(m.Thing)
		}
	}
	slices.Sort(ids)
	return ids
}

// has says whether a thing is one of a stop's.
func (t *tx) has(goal engine.Target, thing int64) bool {
	if !goal.Group {
		return goal.ID == thing
	}
	g, ok := t.rows.groups[goal.ID]
	_, member := t.rows.members[engine.Member{Group: goal.ID, Thing: thing}]
	return ok && member && g.State == engine.GroupLive
}
