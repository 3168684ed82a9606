package enginetest

import (
	"slices"

	"jobgate/gateway/jobs/engine"
)

func thingName(t engine.Thing) string { return t.Name }

func testThings(s *suite) {
	row := engine.Thing{
		Name: "b", UUID: "u", TypeName: "type", BillingGroup: "bill", Attributes: `{"colour":"red <1>"}`, Version: 7, Created: 1234567890123,
	}
	s.update(func(t engine.Tx) {
		rows := []engine.Thing{row}
		s.OK(t.PutThings(rows))
		row.ID = rows[0].ID
	})
	ids := s.things("c", "a")
	s.view(func(r engine.Reader) {
		rows, err := r.Things([]string{"b", "nobody"})
		s.OK(err)
		s.same("a row", rows, []engine.Thing{row})
		list := func(q engine.ThingQuery, after string, limit int) string {
			rows, err := r.ListThings(q, after, limit)
			s.OK(err)
			return names(rows, thingName)
		}
		s.same("all", list(engine.ThingQuery{}, "", 9), "a b c")
		s.same("a page", list(engine.ThingQuery{}, "a", 1), "b")
		s.same("of a type", list(engine.ThingQuery{TypeName: "type"}, "", 9), "b")
		s.same("with an attribute", list(engine.ThingQuery{AttributeName: "colour"}, "", 9), "b")
		s.same("with a value", list(engine.ThingQuery{AttributeName: "colour", AttributeValue: "red"}, "", 9), "")
		s.same("with the empty value", list(engine.ThingQuery{AttributeName: "colour", ByValue: true}, "", 9), "")
		s.same("with a prefix", list(engine.ThingQuery{AttributeName: "colour", AttributeValue: "red", AttributePrefix: true}, "", 9), "b")
		s.same("with an odd attribute", list(engine.ThingQuery{AttributeName: `a"b'c$.d`}, "", 9), "")
	})
	err := s.Update(bg, engine.Work{}, func(t engine.Tx) error { return t.PutThings([]engine.Thing{{Name: "a", Version: 1}}) })
	s.Is(err, engine.ErrExists)

	job := s.job("j", engine.Target{ID: ids[0]})
	s.queue(job, row.ID)
	s.update(func(t engine.Tx) { // c is a target, b has an execution, nothing refers to a
		var rows []engine.Thing
		for _, name := range []string{"a", "b", "c"} {
			found, err := t.Things([]string{name})
			s.OK(err)
			found[0].Deleted = true
			rows = append(rows, found[0])
		}
		s.OK(t.PutThings(rows))
		s.OK(t.PurgeThings([]int64{ids[0], ids[1], row.ID}))
	})
	_, err = s.Pending(bg, nil, "b")
	s.Is(err, engine.ErrNotFound)
	s.view(func(r engine.Reader) {
		rows, err := r.Things([]string{"a", "b", "c"})
		s.OK(err)
		slices.SortFunc(rows, func(a, b engine.Thing) int { return int(a.Name[0]) - int(b.Name[0]) })
		s.same("deleted things that are still referenced", names(rows, thingName), "b c")
		live, err := r.ListThings(engine.ThingQuery{}, "", 9)
		s.OK(err)
		s.same("live", len(live), 0)
	})
	s.same("the thing of its execution", s.execution("b", "j").Thing, row.ID)
}

func groupName(g engine.Group) string { return g.Name }

func testGroups(s *suite) {
	top := s.group("top", 0)
	mid := s.group("mid", top)
	low := s.group("low", mid)
	other := s.group("other", 0)
	s.view(func(r engine.Reader) {
		rows, err := r.Groups([]string{"low", "none"})
		s.OK(err)
		s.same("a group", rows, []engine.Group{{
			ID: low, Name: "low", UUID: "uuid-low", Parent: mid, Version: 1, Created: 1,
			Above: []engine.Ancestor{{ID: mid, Name: "mid"}, {ID: top, Name: "top"}},
		}})
		list := func(q engine.GroupQuery, after string, limit int) string {
			rows, err := r.ListGroups(q, after, limit)
			s.OK(err)
			return names(rows, groupName)
		}
		s.same("all", list(engine.GroupQuery{}, "", 9), "low mid other top")
		s.same("a page", list(engine.GroupQuery{}, "low", 2), "mid other")
		s.same("at the root", list(engine.GroupQuery{ByParent: true}, "", 9), "other top")
		s.same("children", list(engine.GroupQuery{ByParent: true, Parent: top}, "", 9), "mid")
		s.same("below", list(engine.GroupQuery{Below: top}, "", 9), "low mid")
		s.same("with a prefix", list(engine.GroupQuery{Prefix: "o"}, "", 9), "other")
		families, err := r.Families([]int64{mid, top, other})
		s.OK(err)
		s.same("families", families, [][]int64{{mid, low}, {top, mid, low}, {other}})
	})
	err := s.Update(bg, engine.Work{}, func(t engine.Tx) error { return t.PutGroups([]engine.Group{{Name: "low", Version: 1}}) })
	s.Is(err, engine.ErrExists)

	job := s.job("j", engine.Target{Group: true, ID: low})
	end := func(state engine.GroupState) {
		s.update(func(t engine.Tx) {
			s.OK(t.PutGroups([]engine.Group{{ID: low, Name: "low", UUID: "uuid-low", Parent: mid, Version: 1, Created: 1, State: state}}))
			s.OK(t.PurgeGroups([]int64{low}))
		})
	}
	exists := func(state engine.GroupState) (n int) {
		s.view(func(r engine.Reader) {
			rows, err := r.ListGroups(engine.GroupQuery{State: state}, "", 9)
			s.OK(err)
			n = len(rows)
		})
		return n
	}
	end(engine.GroupEnding)
	s.same("ending", []int{exists(engine.GroupLive), exists(engine.GroupEnding)}, []int{3, 1})
	again := s.group("low", 0) // the name is free
	if again <= low {
		s.Fatalf("ID %d after %d, want a higher one", again, low)
	}
	end(engine.GroupEnded)
	s.same("ended, but still a target", exists(engine.GroupEnded), 1)
	s.update(func(t engine.Tx) { s.OK(t.DeleteJob(job)); s.OK(t.PurgeGroups([]int64{low})) })
	s.same("purged", exists(engine.GroupEnded), 0)
}

func testMembers(s *suite) {
	ids := s.things("a", "b")
	top := s.group("top", 0, ids[0])
	low := s.group("low", top)
	s.update(func(t engine.Tx) {
		joined, err := t.MoveMembers(append(membersOf(top, ids...), membersOf(low, ids[1])...), membersOf(low, ids[0]))
		s.OK(err)
		s.same("joined", joined, append(membersOf(top, ids[1]), membersOf(low, ids[1])...))
	})
	s.view(func(r engine.Reader) {
		list, err := r.Memberships(ids)
		s.OK(err)
		slices.SortFunc(list, func(a, b engine.Membership) int { return int(a.Thing*1000 + a.Group - b.Thing*1000 - b.Group) })
		for i := range list {
			list[i].Above = slices.Clip(append([]int64{}, list[i].Above...))
		}
		s.same("memberships", list, []engine.Membership{
			{Thing: ids[0], Group: top, Above: []int64{}},
			{Thing: ids[1], Group: top, Above: []int64{}},
			{Thing: ids[1], Group: low, Above: []int64{top}},
		})
		groups, err := r.ListGroups(engine.GroupQuery{Of: ids[1]}, "", 9)
		s.OK(err)
		s.same("groups of b", names(groups, groupName), "low top")
	})
}

func testWalk(s *suite) {
	ids := s.things(numbered(6)...)
	one := s.group("one", 0, ids[4], ids[0], ids[2])
	two := s.group("two", 0, ids[2], ids[3])
	job := s.job("j", engine.Target{Group: true, ID: one})
	s.update(func(t engine.Tx) { // a member that joined after the job was created
		_, err := t.MoveMembers(membersOf(one, ids[5]), nil)
		s.OK(err)
	})
	s.queue(job, ids[2])
	stops := []engine.Target{{Group: true, ID: one}, {ID: ids[1]}, {Group: true, ID: two}}
	f := func(what string, w engine.Walk, want ...[2]int64) {
		s.Helper()
		w.Stops, w.Limit = stops, max(w.Limit, 1)
		if w.Limit == 1 {
			w.Limit = 99
		}
		s.view(func(r engine.Reader) {
			visits, err := r.Walk(w)
			s.OK(err)
			var got [][2]int64
			for _, v := range visits {
				got = append(got, [2]int64{int64(v.Stop), v.Thing})
				if (v.Found != nil) != (w.Job != 0 && v.Thing == ids[2]) || (v.Name != "") != w.Names {
					s.Fatalf("%s: a visit is %+v", what, v)
				}
			}
			s.same(what, got, want)
		})
	}
	f("all", engine.Walk{Job: job, Names: true}, [2]int64{0, ids[0]}, [2]int64{0, ids[2]}, [2]int64{0, ids[4]}, [2]int64{0, ids[5]},
		[2]int64{1, ids[1]}, [2]int64{2, ids[2]}, [2]int64{2, ids[3]})
	f("a page", engine.Walk{After: ids[2], Limit: 3}, [2]int64{0, ids[4]}, [2]int64{0, ids[5]}, [2]int64{1, ids[1]})
	f("from a later stop", engine.Walk{At: 2, After: ids[2]}, [2]int64{2, ids[3]})
	f("after a stop's only thing", engine.Walk{At: 1, After: ids[1]}, [2]int64{2, ids[2]}, [2]int64{2, ids[3]})
	f("distinct", engine.Walk{At: 1, Distinct: true}, [2]int64{1, ids[1]}, [2]int64{2, ids[3]})
	state, err := s.Job(bg, "j")
	s.OK(err)
	f("by serial", engine.Walk{BySerial: true, Serial: state.Job.Serial, Limit: 3}, [2]int64{0, ids[0]}, [2]int64{0, ids[2]}, [2]int64{0, ids[4]})

	s.update(func(t engine.Tx) { // group two is being deleted, and t001 is deleted
		s.OK(t.PutGroups([]engine.Group{{ID: two, Name: "two", UUID: "u", Version: 1, State: engine.GroupEnding}}))
		s.OK(t.PutThings([]engine.Thing{{ID: ids[1], Name: "t001", UUID: "u", Version: 1, Deleted: true}}))
	})
	f("without deleted ones", engine.Walk{At: 1})
	f("ending", engine.Walk{At: 1, Ending: true}, [2]int64{2, ids[2]}, [2]int64{2, ids[3]})
}

func testValues(s *suite) {
	s.update(func(t engine.Tx) {
		s.OK(t.PutValues([]engine.Value{
			{Space: "x", Key: "b", Value: []byte{0, 255}}, {Space: "x", Key: "a", Value: []byte("1")}, {Space: "y", Key: "a", Value: []byte("2")},
		}))
		s.OK(t.PutValues([]engine.Value{{Space: "x", Key: "a", Value: []byte("3")}, {Space: "x", Key: "c", Value: []byte{}}}))
	})
	s.view(func(r engine.Reader) {
		values, err := r.Values("x", []string{"b", "none"})
		s.OK(err)
		s.same("a value", values, []engine.Value{{Space: "x", Key: "b", Value: []byte{0, 255}}})
		values, err = r.ListValues("x", "", 9)
		s.OK(err)
		s.same("a space", names(values, func(v engine.Value) string { return v.Key + "=" + string(v.Value) }), "a=3 b=\x00\xff c=")
		values, err = r.ListValues("x", "a", 1)
		s.OK(err)
		s.same("a page", names(values, func(v engine.Value) string { return v.Key }), "b")
	})
	s.update(func(t engine.Tx) { s.OK(t.DeleteValues("x", []string{"b", "none"})) })
	left := func(space string) (n int) {
		s.view(func(r engine.Reader) {
			values, err := r.ListValues(space, "", 9)
			s.OK(err)
			n = len(values)
		})
		return n
	}
	s.same("values left", left("x"), 2)
	s.update(func(t engine.Tx) { s.OK(t.DeleteValues("x", nil)) })
	s.same("values left", []int{left("x"), left("y")}, []int{0, 1})
}
