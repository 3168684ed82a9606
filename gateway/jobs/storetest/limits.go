package storetest

import (
	"fmt"
	"strings"

	"jobgate/gateway/jobs"
)

// attributes returns n attributes, each with a value of the given length.
func attributes(n, bytes int) map[string]string {
	m := make(map[string]string, n)
	for i := range n {
		m[fmt.Sprintf("a%02d", i)] = strings.Repeat("x", bytes)
	}
	return m
}

// testLimits checks AWS's documented limits of things and groups: the largest accepted value, and the smallest refused.
func testLimits(s *suite) {
	thing := func(name, thingType string, attributes map[string]string) error {
		return s.CreateThings(bg, []jobs.Thing{{Name: name, ID: name, TypeName: thingType, Attributes: attributes, Version: 1, CreatedAt: s.now}})
	}
	s.OK(thing("free", "", attributes(jobs.MaxFreeAttributes, 1)))
	s.Is(thing("x", "", attributes(jobs.MaxFreeAttributes+1, 1)), jobs.ErrInvalidRequest)
	s.OK(thing("typed", "sensor", attributes(jobs.MaxAttributes, 800)))
	s.Is(thing("x", "sensor", attributes(jobs.MaxAttributes+1, 1)), jobs.ErrInvalidRequest)
	s.Is(thing("x", "sensor", attributes(jobs.MaxAttributes, jobs.MaxAttributesBytes/jobs.MaxAttributes)), jobs.ErrInvalidRequest)
	s.Is(s.UpdateThing(bg, "free", 0, func(t *jobs.Thing) { t.Attributes["more"] = "1" }), jobs.ErrInvalidRequest)
	s.Is(s.UpdateThing(bg, "typed", 0, func(t *jobs.Thing) { t.TypeName = "" }), jobs.ErrInvalidRequest)
	s.OK(s.UpdateThing(bg, "free", 0, func(t *jobs.Thing) { t.TypeName, t.Attributes["more"] = "sensor", "1" }))

	group := func(name string, attributes map[string]string) error {
		return s.CreateGroup(bg, jobs.Group{Name: name, ID: name, Attributes: attributes, Version: 1, CreatedAt: s.now}, nil)
	}
	s.OK(group("full", attributes(jobs.MaxAttributes, 1)))
	s.Is(group("x", attributes(jobs.MaxAttributes+1, 1)), jobs.ErrInvalidRequest)
	_, err := s.UpdateGroup(bg, "full", 0, func(g *jobs.Group) { g.Attributes["more"] = "1" })
	s.Is(err, jobs.ErrInvalidRequest)

	for i := range jobs.MaxChildGroups {
		s.group(fmt.Sprintf("child%d", i), "full")
	}
	child := jobs.Group{Name: "x", ID: "x", Parent: "full", Version: 1, CreatedAt: s.now}
	s.Is(s.CreateGroup(bg, child, nil), jobs.ErrInvalidRequest)
	s.OK(s.DeleteGroup(bg, "child0", 0, s.now))
	s.OK(s.CreateGroup(bg, child, nil))
	s.group("grandchild", "child1")
}

// testBounds checks that a thing can be in at most ten groups, each of another hierarchy.
func testBounds(s *suite) {
	s.things("a", "b")
	var groups []string
	for i := range jobs.MaxGroupsOfThing + 1 {
		groups = append(groups, fmt.Sprintf("g%02d", i))
		s.group(groups[i], "")
	}
	s.group("below", "g00")
	s.group("beside", "g00")
	s.group("deep", "below")
	put := func(thing string, add []string, remove ...string) error {
		_, err := s.ChangeMembers(bg, jobs.MemberChange{Things: []string{thing}, Add: add, Remove: remove, Now: s.now, Bounded: true})
		return err
	}
	s.OK(put("a", groups[:10]))
	s.Is(put("a", groups[10:]), jobs.ErrInvalidRequest)
	s.OK(put("a", groups[:1])) // is a member already
	s.OK(put("a", groups[10:], "g09"))
	s.Is(put("a", []string{"deep"}, "g01"), jobs.ErrInvalidRequest) // below one of its groups
	s.OK(put("a", []string{"deep"}, "g00"))
	s.Is(put("a", []string{"g00"}, "g01"), jobs.ErrInvalidRequest) // above one of its groups
	s.Is(put("a", []string{"beside"}), jobs.ErrInvalidRequest)
	s.Is(put("b", []string{"below", "beside"}), jobs.ErrInvalidRequest)
	of, _, err := s.GroupsOf(bg, "b", jobs.Page{Limit: 10})
	s.OK(err)
	s.same("groups of b", len(of), 0)

	s.OK(s.DeleteGroup(bg, "g02", 0, s.now)) // a deleted group no longer counts
	s.OK(put("a", []string{"g09"}))
	s.join("beside", "a") // not bounded
}
