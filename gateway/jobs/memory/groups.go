package memory

import (
	"cmp"
	"slices"
	"strings"

	"jobgate/gateway/jobs/engine"
)

func (t *tx) Groups(names []string) ([]engine.Group, error) {
	t.called("Groups")
	return t.groupsWhere(unlimited, func(g engine.Group) bool {
		return g.State == engine.GroupLive && slices.Contains(names, g.Name)
	}), nil
}

// groupsWhere lists groups by name, with Above.
func (t *tx) groupsWhere(limit int, keep func(engine.Group) bool) []engine.Group {
	list := sorted(where(t.groups.all(), unlimited, keep), limit, func(a, b engine.Group) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	for i := range list {
		list[i].Above = nil
		for _, g := range pick(&t.groups, t.above(list[i].ID)) {
			list[i].Above = append(list[i].Above, engine.Ancestor{ID: g.ID, Name: g.Name})
		}
	}
	return list
}

// above returns a group's ancestors, the parent first.
func (t *tx) above(id int64) (ids []int64) {
	for g, _ := t.groups.get(id); g.Parent != 0; g, _ = t.groups.get(g.Parent) {
		ids = append(ids, g.Parent)
	}
	return ids
}

func (t *tx) ListGroups(q engine.GroupQuery, after string, limit int) ([]engine.Group, error) {
	t.called("ListGroups")
	return t.groupsWhere(limit, func(g engine.Group) bool {
		return g.State == q.State && g.Name > after && strings.HasPrefix(g.Name, q.Prefix) &&
			(!q.ByParent || g.Parent == q.Parent) && (q.Below == 0 || slices.Contains(t.above(g.ID), q.Below)) &&
			(q.Of == 0 || t.members.has(engine.Member{Group: g.ID, Thing: q.Of}))
	}), nil
}

func (t *tx) Families(groups []int64) ([][]int64, error) {
	t.called("Families")
	families := make([][]int64, len(groups))
	for i, root := range groups {
		for id, g := range t.groups.all() {
			if id == root || (g.State == engine.GroupLive && slices.Contains(t.above(id), root)) {
				families[i] = append(families[i], id)
			}
		}
	}
	return families, nil
}

func (t *tx) PutGroups(groups []engine.Group) error {
	t.called("PutGroups")
	for i := range groups {
		g := &groups[i]
		if g.ID == 0 {
			named := func(have engine.Group) bool { return have.State == engine.GroupLive && have.Name == g.Name }
			if len(where(t.groups.all(), 1, named)) > 0 {
				return engine.ErrExists
			}
			g.ID = next(&t.db.last.group)
		}
		t.groups.put(t.id, g.ID, *g)
	}
	return nil
}

func (t *tx) PurgeGroups(ids []int64) error {
	t.called("PurgeGroups")
	for _, id := range ids {
		if g, _ := t.groups.get(id); g.State == engine.GroupEnded && !t.targeted(engine.Target{Group: true, ID: id}) {
			t.groups.remove(t.id, id)
		}
	}
	return nil
}

func (t *tx) Memberships(things []int64) (list []engine.Membership, err error) {
	t.called("Memberships")
	for m := range t.members.all() {
		if g, _ := t.groups.get(m.Group); slices.Contains(things, m.Thing) && g.State != engine.GroupEnded {
			list = append(list, engine.Membership{Thing: m.Thing, Group: m.Group, State: g.State, Above: t.above(m.Group)})
		}
	}
	return list, nil
}

func (t *tx) MoveMembers(add, remove []engine.Member) (joined []engine.Member, err error) {
	t.called("MoveMembers")
	serial := next(&t.db.last.serial)
	for _, m := range remove {
		t.members.remove(t.id, m)
	}
	for _, m := range add {
		if !t.members.has(m) {
			t.members.put(t.id, m, serial)
			joined = append(joined, m)
		}
	}
	return joined, nil
}
