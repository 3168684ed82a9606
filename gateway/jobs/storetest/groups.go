package storetest

import (
	"fmt"
	"slices"

	"jobgate/gateway/jobs"
)

func testGroups(s *suite) {
	g := jobs.Group{
		Name: "g", ID: "uuid", Description: "lamps", Attributes: map[string]string{"x": "1"}, Version: 1, CreatedAt: s.now,
	}
	s.OK(s.CreateGroup(bg, g, []jobs.Tag{{Key: "k", Value: "v"}}))
	got, err := s.Group(bg, "g")
	s.OK(err)
	s.same("group", got, g)
	tags, err := s.Tags(bg, jobs.Resource{Kind: jobs.KindGroup, Name: "g"})
	s.OK(err)
	s.same("tags", tags, []jobs.Tag{{Key: "k", Value: "v"}})
	s.Is(s.CreateGroup(bg, g, nil), jobs.ErrAlreadyExists)
	s.Is(s.CreateGroup(bg, jobs.Group{Name: "h", ID: "x", Parent: "nobody", Version: 1}, nil), jobs.ErrInvalidRequest)
	_, err = s.Group(bg, "h")
	s.Is(err, jobs.ErrNotFound)
	describe := func(g *jobs.Group) { g.Description = "again" }
	version, err := s.UpdateGroup(bg, "g", 1, describe)
	s.OK(err)
	g.Version, g.Description = version, "again"
	got, err = s.Group(bg, "g")
	s.OK(err)
	s.same("updated group", got, g)
	_, err = s.UpdateGroup(bg, "g", 1, describe)
	s.Is(err, jobs.ErrVersionConflict)
	_, err = s.UpdateGroup(bg, "h", 0, describe)
	s.Is(err, jobs.ErrNotFound)
	s.Is(s.DeleteGroup(bg, "h", 0, s.now), jobs.ErrNotFound)
	s.Is(s.DeleteGroup(bg, "g", 9, s.now), jobs.ErrVersionConflict)
	s.Is(s.DeleteGroup(bg, "g", jobs.NoVersion, s.now), jobs.ErrVersionConflict)
}

func testGroupTree(s *suite) {
	parent := ""
	for i := range jobs.MaxGroupDepth {
		name := fmt.Sprintf("g%d", i)
		s.group(name, parent)
		parent = name
	}
	err := s.CreateGroup(bg, jobs.Group{Name: "deep", ID: "x", Parent: parent, Version: 1}, nil)
	s.Is(err, jobs.ErrInvalidRequest)
	g, err := s.Group(bg, "g3")
	s.OK(err)
	s.same("ancestors", g.Ancestors, []string{"g0", "g1", "g2"})
	s.same("parent", g.Parent, "g2")
	s.Is(s.DeleteGroup(bg, "g3", 0, s.now), jobs.ErrInvalidRequest) // it has a child

	s.group("other", "")
	s.group("g1b", "g0")
	f := func(q jobs.GroupQuery, want ...string) {
		s.Helper()
		var names []string
		for page := (jobs.Page{Limit: 2}); ; {
			list, next, err := s.Groups(bg, q, page)
			s.OK(err)
			for _, g := range list {
				names = append(names, g.Name)
			}
			if page.After = next; next == "" {
				break
			}
		}
		s.same(fmt.Sprintf("%+v", q), names, want)
	}
	f(jobs.GroupQuery{}, "g0", "other")
	f(jobs.GroupQuery{Recursive: true}, "g0", "g1", "g1b", "g2", "g3", "g4", "g5", "g6", "other")
	f(jobs.GroupQuery{Parent: "g0"}, "g1", "g1b")
	f(jobs.GroupQuery{Parent: "g4", Recursive: true}, "g5", "g6")
	f(jobs.GroupQuery{Recursive: true, Prefix: "g1"}, "g1", "g1b")
	f(jobs.GroupQuery{Recursive: true, Prefix: "G1"})
	_, _, err = s.Groups(bg, jobs.GroupQuery{Parent: "nobody"}, jobs.Page{Limit: 1})
	s.Is(err, jobs.ErrNotFound)
}

func testMembers(s *suite) {
	s.things("a", "b", "c", "d", "e")
	s.group("top", "", "a", "b")
	s.group("sub", "top", "b", "c", "d")
	f := func(group string, recursive bool, want ...string) {
		s.Helper()
		var names []string
		for page := (jobs.Page{Limit: 2}); ; {
			list, next, err := s.Members(bg, group, recursive, page)
			s.OK(err)
			names = append(names, list...)
			if page.After = next; next == "" {
				break
			}
		}
		slices.Sort(names)
		s.same(group, names, want)
	}
	f("top", false, "a", "b")
	f("sub", false, "b", "c", "d")
	f("top", true, "a", "b", "c", "d")

	groups, _, err := s.GroupsOf(bg, "b", jobs.Page{Limit: 10})
	s.OK(err)
	s.same("groups of b", []string{groups[0].Name, groups[1].Name}, []string{"sub", "top"})

	change := func(c jobs.MemberChange) error {
		_, err := s.ChangeMembers(bg, c)
		return err
	}
	s.Is(change(jobs.MemberChange{Things: []string{"e", "nobody"}, Add: []string{"top"}}), jobs.ErrNotFound)
	s.Is(change(jobs.MemberChange{Things: []string{"e"}, Add: []string{"top", "nowhere"}}), jobs.ErrNotFound)
	f("top", false, "a", "b") // neither change was made
	s.join("top", "a")        // is a member already
	s.leave("sub", "a", "c")  // a is not a member
	f("sub", false, "b", "d")
	s.OK(change(jobs.MemberChange{Things: []string{"d", "e"}, Add: []string{"top"}, Remove: []string{"sub"}}))
	f("sub", false, "b")
	f("top", false, "a", "b", "d", "e")
	_, _, err = s.Members(bg, "nowhere", false, jobs.Page{Limit: 1})
	s.Is(err, jobs.ErrNotFound)
	_, _, err = s.GroupsOf(bg, "nobody", jobs.Page{Limit: 1})
	s.Is(err, jobs.ErrNotFound)
}

func testDeleteGroup(s *suite) {
	s.things("a", "b", "c")
	s.group("g", "", "a", "b", "c")
	s.job("j", jobs.Continuous, groupOf("g"), thing("c"))
	s.roll("j", 10)
	s.OK(s.DeleteGroup(bg, "g", 1, s.now))
	_, err := s.Group(bg, "g")
	s.Is(err, jobs.ErrNotFound)
	s.group("g", "") // the name is free at once
	var removed []string
	for range 10 {
		list, more, err := s.SweepGroups(bg, 1, s.now)
		s.OK(err)
		for _, e := range list {
			removed = append(removed, e.Thing+" "+e.Status.String())
		}
		if !more {
			break
		}
	}
	s.same("removed", removed, []string{"a REMOVED", "b REMOVED"}) // c is a target itself
	s.counts(jobs.Counts{jobs.Queued: 1, jobs.Removed: 2})
	groups, _, err := s.GroupsOf(bg, "a", jobs.Page{Limit: 10})
	s.OK(err)
	s.same("groups of a", len(groups), 0)
	s.same("joining the new group", len(s.join("g", "a").Queued), 0) // the job targeted the deleted one
}

// testDeleteGroupRollout deletes groups before rollouts reach them. They have no members from then on, although their
// memberships are removed later.
func testDeleteGroupRollout(s *suite) {
	s.things("a", "b", "c", "d")
	s.group("g", "", "a", "b")
	s.group("h", "", "c")
	s.group("sub", "h", "d")
	s.job("snapshot", jobs.Snapshot, groupOf("g"), groupOf("h"))
	s.job("continuous", jobs.Continuous, groupOf("h"), groupOf("g"))
	r, err := s.QueueChunk(bg, s.chunk("snapshot", 1))
	s.OK(err)
	s.same("first", r.Things, []string{"a"})
	s.OK(s.DeleteGroup(bg, "g", 0, s.now))
	s.OK(s.DeleteGroup(bg, "sub", 0, s.now))
	s.same("snapshot", s.roll("snapshot", 10), []string{"c"})
	s.same("continuous", s.roll("continuous", 10), []string{"c"})
}

// testDeleteGroupJoin adds members of a deleted group to another group of the same job, before the old memberships are
// removed. They must join the job's targets, because the rollout of the deleted group may have found no members.
func testDeleteGroupJoin(s *suite) {
	s.things("a", "b")
	s.group("g", "", "a", "b")
	s.group("h", "")
	s.job("j", jobs.Continuous, groupOf("g"), groupOf("h"))
	s.OK(s.DeleteGroup(bg, "g", 0, s.now))
	s.same("rolled out", s.roll("j", 10), []string(nil))
	s.same("joining", len(s.join("h", "a", "b").Queued), 2)
	s.same("leaving", len(s.leave("h", "b").Removed), 1)
	removed, _, err := s.SweepGroups(bg, 10, s.now)
	s.OK(err)
	s.same("removed with the group", len(removed), 0)
	s.counts(jobs.Counts{jobs.Queued: 1, jobs.Removed: 1})
}
