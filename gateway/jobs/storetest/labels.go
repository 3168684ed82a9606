package storetest

import (
	"fmt"

	"jobgate/gateway/jobs"
)

func testTemplates(s *suite) {
	t := jobs.JobTemplate{
		ID: "t", Description: "d", Document: `{"x":1}`, DocumentSource: "https://b/k", CreatedAt: s.now,
		MaintenanceWindows: []jobs.MaintenanceWindow{{StartTime: "0 4 * * *", DurationInMinutes: 60}},
	}
	s.OK(s.CreateTemplate(bg, t, []jobs.Tag{{Key: "k", Value: "v"}}))
	got, err := s.Template(bg, "t")
	s.OK(err)
	s.same("template", got, t)
	s.Is(s.CreateTemplate(bg, t, nil), jobs.ErrAlreadyExists)
	for _, id := range []string{"u", "s"} {
		s.OK(s.CreateTemplate(bg, jobs.JobTemplate{ID: id}, nil))
	}
	var ids []string
	for page := (jobs.Page{Limit: 1}); ; {
		list, next, err := s.Templates(bg, page)
		s.OK(err)
		for _, t := range list {
			ids = append(ids, t.ID)
		}
		if page.After = next; next == "" {
			break
		}
	}
	s.same("templates", ids, []string{"s", "t", "u"})
	s.OK(s.DeleteTemplate(bg, "t"))
	_, err = s.Template(bg, "t")
	s.Is(err, jobs.ErrNotFound)
	s.Is(s.DeleteTemplate(bg, "t"), jobs.ErrNotFound)
	s.OK(s.CreateTemplate(bg, t, nil))
	tags, err := s.Tags(bg, jobs.Resource{Kind: jobs.KindTemplate, Name: "t"})
	s.OK(err)
	s.same("tags of a new template of that name", len(tags), 0)
}

func testTags(s *suite) {
	s.group("g", "")
	r := jobs.Resource{Kind: jobs.KindGroup, Name: "g"}
	s.OK(s.SetTags(bg, r, []jobs.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: ""}}))
	s.OK(s.SetTags(bg, r, []jobs.Tag{{Key: "b", Value: "2"}, {Key: "c", Value: "3"}}))
	want := func(tags ...jobs.Tag) {
		s.Helper()
		got, err := s.Tags(bg, r)
		s.OK(err)
		s.same("tags", got, tags)
	}
	want(jobs.Tag{Key: "a"}, jobs.Tag{Key: "b", Value: "2"}, jobs.Tag{Key: "c", Value: "3"})
	s.OK(s.RemoveTags(bg, r, []string{"a", "nothing"}))
	s.OK(s.RemoveTags(bg, r, nil))
	want(jobs.Tag{Key: "b", Value: "2"}, jobs.Tag{Key: "c", Value: "3"})
	var many []jobs.Tag
	for i := range jobs.MaxTags - 1 {
		many = append(many, jobs.Tag{Key: fmt.Sprint("k", i)})
	}
	s.Is(s.SetTags(bg, r, many), jobs.ErrLimitExceeded)
	want(jobs.Tag{Key: "b", Value: "2"}, jobs.Tag{Key: "c", Value: "3"}) // none was added
	for _, r := range []jobs.Resource{
		{Kind: jobs.KindGroup, Name: "h"}, {Kind: jobs.KindJob, Name: "g"}, {Kind: jobs.KindTemplate, Name: "g"},
	} {
		s.Is(s.SetTags(bg, r, []jobs.Tag{{Key: "a"}}), jobs.ErrNotFound)
	}
	s.Is(s.SetTags(bg, jobs.Resource{Kind: jobs.KindThing, Name: "g"}, []jobs.Tag{{Key: "a"}}), jobs.ErrInvalidRequest)
	s.OK(s.DeleteGroup(bg, "g", 0, s.now))
	s.group("g", "")
	want()
}
