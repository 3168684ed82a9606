package storetest

import (
	"fmt"
	"strings"

	"jobgate/gateway/jobs"
)

func testThings(s *suite) {
	th := jobs.Thing{
		Name: "a", ID: "uuid", TypeName: "lamp", BillingGroup: "paid", Attributes: map[string]string{"x": "1"},
		Version: 1, CreatedAt: s.now,
	}
	s.OK(s.CreateThings(bg, []jobs.Thing{th}))
	got, err := s.Thing(bg, "a")
	s.OK(err)
	s.same("thing", got, th)
	_, err = s.Thing(bg, "A")
	s.Is(err, jobs.ErrNotFound) // names are case-sensitive

	err = s.CreateThings(bg, []jobs.Thing{{Name: "b", ID: "id", Version: 1}, {Name: "a", ID: "id", Version: 1}})
	s.Is(err, jobs.ErrAlreadyExists)
	if !strings.Contains(err.Error(), "Thing a ") {
		s.Fatalf("%q does not name the thing", err)
	}
	_, err = s.Thing(bg, "b") // none was created
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Pending(bg, nil, "b")
	s.Is(err, jobs.ErrNotFound)

	s.things("c", "b", "e", "d")
	var names []string
	for page := (jobs.Page{Limit: 2}); ; {
		list, next, err := s.Things(bg, jobs.ThingQuery{}, page)
		s.OK(err)
		if len(list) > 2 {
			s.Fatalf("a page of 2 has %d", len(list))
		}
		for _, t := range list {
			names = append(names, t.Name)
		}
		if page.After = next; next == "" {
			break
		}
	}
	s.same("things by name", names, []string{"a", "b", "c", "d", "e"})
}

func testThingFilters(s *suite) {
	s.OK(s.CreateThings(bg, []jobs.Thing{
		{Name: "a", ID: "1", TypeName: "lamp", Attributes: map[string]string{"color": "red", "size.x": "4"}, Version: 1},
		{Name: "b", ID: "2", TypeName: "lamp", Attributes: map[string]string{"color": "redish", "empty": ""}, Version: 1},
		{Name: "c", ID: "3", TypeName: "pump", Attributes: map[string]string{"color": "Red", "empty": "no"}, Version: 1},
		{Name: "d", ID: "4", Version: 1},
	}))
	f := func(q jobs.ThingQuery, want ...string) {
		s.Helper()
		list, _, err := s.Things(bg, q, jobs.Page{Limit: 10})
		s.OK(err)
		var names []string
		for _, t := range list {
			names = append(names, t.Name)
		}
		s.same(fmt.Sprintf("%+v", q), names, want)
	}
	f(jobs.ThingQuery{}, "a", "b", "c", "d")
	f(jobs.ThingQuery{TypeName: "lamp"}, "a", "b")
	f(jobs.ThingQuery{AttributeName: "color"}, "a", "b", "c")
	f(jobs.ThingQuery{AttributeName: "color", AttributeValue: "red"}, "a")
	f(jobs.ThingQuery{AttributeName: "color", AttributeValue: "red", AttributePrefix: true}, "a", "b")
	f(jobs.ThingQuery{AttributeName: "size.x", AttributeValue: "4"}, "a")
	f(jobs.ThingQuery{TypeName: "pump", AttributeName: "color", AttributeValue: "red"})
	s.OK(s.UpdateThing(bg, "d", 1, func(t *jobs.Thing) { t.TypeName = "fan" }))
	s.Is(s.UpdateThing(bg, "d", 1, func(*jobs.Thing) {}), jobs.ErrVersionConflict)
	s.Is(s.UpdateThing(bg, "none", 0, func(*jobs.Thing) {}), jobs.ErrNotFound)
	f(jobs.ThingQuery{TypeName: "fan"}, "d")
	f(jobs.ThingQuery{AttributeName: "empty"}, "b", "c")
	f(jobs.ThingQuery{AttributeName: "empty", ByValue: true}, "b")
	f(jobs.ThingQuery{AttributeName: "empty", ByValue: true, AttributePrefix: true}, "b", "c")
	f(jobs.ThingQuery{AttributeName: "color", ByValue: true})
	f(jobs.ThingQuery{AttributeName: `x"y`})
}

func testDeleteThing(s *suite) {
	s.things("a", "b")
	s.group("g", "", "a", "b")
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.roll("j", 10)
	s.becomes("a", "j", jobs.InProgress)
	for _, version := range []int64{7, jobs.NoVersion} {
		_, err := s.DeleteThing(bg, "a", version, s.now)
		s.Is(err, jobs.ErrVersionConflict)
	}
	removed, err := s.DeleteThing(bg, "a", 1, s.later(1000))
	s.OK(err)
	if len(removed) != 1 || removed[0].Status != jobs.Removed || removed[0].Thing != "a" || removed[0].Version != 3 {
		s.Fatalf("removed %+v", removed)
	}
	s.counts(jobs.Counts{jobs.Queued: 1, jobs.Removed: 1})
	_, err = s.Thing(bg, "a")
	s.Is(err, jobs.ErrNotFound)
	_, err = s.Pending(bg, nil, "a")
	s.Is(err, jobs.ErrNotFound)
	_, err = s.DeleteThing(bg, "a", 0, s.now)
	s.Is(err, jobs.ErrNotFound)
	members, _, err := s.Members(bg, "g", false, jobs.Page{Limit: 10})
	s.OK(err)
	s.same("members", members, []string{"b"})
	s.same("history", s.execution("a", "j").Status, jobs.Removed)

	// A new thing with that name is in no group, but keeps the history of the name.
	s.things("a")
	s.same("pending of the new thing", s.pending("a"), []string(nil))
	s.same("history", s.execution("a", "j").Status, jobs.Removed)
	groups, _, err := s.GroupsOf(bg, "a", jobs.Page{Limit: 10})
	s.OK(err)
	s.same("groups of the new thing", len(groups), 0)
}
