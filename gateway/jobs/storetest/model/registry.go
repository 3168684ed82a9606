package model

import (
	"fmt"
	"slices"

	"jobgate/gateway/jobs"
)

// plain reports whether all fields are empty.
func (m *modelRecord) plain() bool { return m.text == "" && len(m.attributes) == 0 }

// update changes the given fields. An attribute set to "" is removed.
func (m *modelRecord) update(text *string, u jobs.AttributeUpdate, expected int64) error {
	if expected != 0 && expected != m.version {
		return jobs.ErrVersionConflict
	}
	m.version++
	if text != nil {
		m.text = *text
	}
	if !u.Given {
		return nil
	}
	attributes := make(map[string]string)
	for name, value := range m.attributes {
		if u.Merge {
			attributes[name] = value
		}
	}
	for name, value := range u.Values {
		delete(attributes, name)
		if value != "" {
			attributes[name] = value
		}
	}
	m.attributes = attributes
	return nil
}

// shown prints the fields of a thing or a group that are compared.
func shown(version int64, text string, attributes map[string]string) string {
	if attributes == nil {
		attributes = map[string]string{}
	}
	return fmt.Sprintf("v%d %q %v", version, text, attributes)
}

func (m *modelRecord) shown() string { return shown(m.version, m.text, m.attributes) }

// attributes returns a random change of attributes, and an expected version; mostly 0, which is any.
func (r *run) attributes() (u jobs.AttributeUpdate, expected int64) {
	if u.Given = r.chance(70); u.Given {
		u.Merge = r.chance(50)
		u.Values = make(map[string]string)
		for range r.rand.IntN(3) {
			u.Values[fmt.Sprint("a", r.rand.IntN(3))] = []string{"", "x", "y"}[r.rand.IntN(3)]
		}
	}
	switch r.rand.IntN(10) {
	case 0:
		expected = jobs.NoVersion
	case 1, 2, 3:
		expected = 1 + r.rand.Int64N(3)
	}
	return u, expected
}

func (r *run) createThing() {
	name := r.thing()
	r.log("createThing %s", name)
	_, err := r.service.CreateThing(bg, r.model.now, jobs.CreateThingRequest{Name: name})
	if t := r.model.things[name]; t != nil {
		var want error
		if !t.plain() {
			want = jobs.ErrAlreadyExists
		}
		r.ok("CreateThing", err, want)
		return
	}
	r.ok("CreateThing", err, nil)
	r.model.things[name] = &modelThing{groups: make(map[*modelGroup]int), modelRecord: modelRecord{version: 1}}
	for _, j := range r.model.jobs {
		j.gone[name] = j.gone[name] || j.started // a limited rollout may have passed it before it was registered
	}
}

func (r *run) updateThing() {
	q := jobs.UpdateThingRequest{Name: r.thing()}
	q.Attributes, q.Version = r.attributes()
	var text *string
	switch r.rand.IntN(3) {
	case 0:
		q.TypeName = fmt.Sprint("type", r.rand.IntN(3))
		text = &q.TypeName
	case 1:
		q.RemoveType = true
		text = new(string)
	}
	r.log("updateThing %+v", q)
	want := error(jobs.ErrNotFound)
	if t := r.model.things[q.Name]; t != nil {
		want = t.update(text, q.Attributes, q.Version)
	}
	r.ok("UpdateThing", r.service.UpdateThing(bg, q), want)
}

func (r *run) createGroup() {
	name, parent := r.group(), ""
	if r.chance(60) {
		parent = r.group()
	}
	r.log("createGroup %s under %q", name, parent)
	_, err := r.service.CreateGroup(bg, r.model.now, jobs.CreateGroupRequest{Name: name, Parent: parent})
	r.ok("CreateGroup", err, r.model.createGroup(name, parent))
}

func (r *run) updateGroup() {
	q := jobs.UpdateGroupRequest{Name: r.group()}
	q.Attributes, q.Version = r.attributes()
	if r.chance(50) {
		text := fmt.Sprint("text", r.rand.IntN(3))
		q.Description = &text
	}
	r.log("updateGroup %+v", q)
	version, err := r.service.UpdateGroup(bg, q)
	g := r.model.groups[q.Name]
	if g == nil {
		r.ok("UpdateGroup", err, jobs.ErrNotFound)
		return
	}
	want := g.update(q.Description, q.Attributes, q.Version)
	if r.ok("UpdateGroup", err, want); want == nil && version != g.version {
		r.Fatalf("UpdateGroup returns version %d, the model %d", version, g.version)
	}
}

// compareRegistry compares things and groups: their fields, and the ancestors of groups.
func (r *run) compareRegistry() {
	r.Helper()
	things, _, err := r.service.ListThings(bg, jobs.ThingQuery{}, jobs.Page{Limit: 100})
	r.ok("ListThings", err, nil)
	have, want := make(map[string]string), make(map[string]string)
	for _, t := range things {
		have[t.Name] = shown(t.Version, t.TypeName, t.Attributes)
	}
	for name, t := range r.model.things {
		want[name] = t.shown()
	}
	r.same("things", have, want)

	groups, _, err := r.service.ListGroups(bg, jobs.GroupQuery{Recursive: true}, jobs.Page{Limit: 100})
	r.ok("ListGroups", err, nil)
	r.same("groups", r.lines(groups), r.wantLines(func(*modelGroup) bool { return true }))
	for name, t := range r.model.things {
		groups, _, err := r.service.ListGroupsOfThing(bg, name, jobs.Page{Limit: 100})
		r.ok("ListGroupsOfThing", err, nil)
		r.same("groups of "+name, r.lines(groups), r.wantLines(func(g *modelGroup) bool { _, in := t.groups[g]; return in }))
	}
}

// lines prints groups with their ancestors, the root first.
func (r *run) lines(groups []jobs.GroupDetail) map[string]string {
	lines := make(map[string]string)
	for _, g := range groups {
		lines[g.Name] = fmt.Sprint(shown(g.Version, g.Description, g.Attributes), g.Ancestors)
	}
	return lines
}

func (r *run) wantLines(which func(*modelGroup) bool) map[string]string {
	lines := make(map[string]string)
	for name, g := range r.model.groups {
		if !which(g) {
			continue
		}
		var ancestors []string
		for up := g.parent; up != nil; up = up.parent {
			ancestors = append(ancestors, up.name)
		}
		slices.Reverse(ancestors)
		lines[name] = fmt.Sprint(g.shown(), ancestors)
	}
	return lines
}
