package storetest

import (
	"bytes"
	"sync"

	"jobgate/gateway/jobs"
)

// testSecrets checks that all handles get the same secret, even if the first requests are concurrent, and that it survives
// a restart.
func testSecrets(s *suite) {
	const callers = 8
	handles := []jobs.Store{s.Store}
	if s.engine.Shared {
		handles = append(handles, s.handle())
	}
	var all [callers][]byte
	var errs [callers]error
	var calls sync.WaitGroup
	for i := range callers {
		calls.Go(func() { all[i], errs[i] = handles[i%len(handles)].Secret(bg, "one") })
	}
	calls.Wait()
	for i := range callers {
		s.OK(errs[i])
		if len(all[i]) != jobs.SecretSize || !bytes.Equal(all[i], all[0]) {
			s.Fatalf("caller %d got a different secret, of %d bytes", i, len(all[i]))
		}
	}
	other, err := s.Secret(bg, "other")
	s.OK(err)
	if len(other) != jobs.SecretSize || bytes.Equal(other, all[0]) || bytes.Equal(other, make([]byte, jobs.SecretSize)) {
		s.Fatal("two names share a secret, or one has none")
	}
	s.reopen()
	again, err := s.Secret(bg, "one")
	s.OK(err)
	if !bytes.Equal(again, all[0]) {
		s.Fatal("the secret changed when the store was reopened")
	}
}

// testCursors checks that a cursor is valid beyond its handle: another handle continues the listing.
func testCursors(s *suite) {
	all := names(5)
	s.things(all...)
	s.group("g", "", all...)
	s.group("h", "", "t00")
	s.job("j", jobs.Snapshot, groupOf("g"))
	s.job("k", jobs.Snapshot, thing("t00"))
	s.roll("j", 10)
	s.roll("k", 10)
	for _, id := range []string{"a", "b"} {
		s.OK(s.CreateTemplate(bg, jobs.JobTemplate{ID: id}, nil))
	}
	lists := map[string]func(jobs.Page) (int, string, error){
		"Things": func(p jobs.Page) (int, string, error) {
			l, n, err := s.Things(bg, jobs.ThingQuery{}, p)
			return len(l), n, err
		},
		"Groups": func(p jobs.Page) (int, string, error) {
			l, n, err := s.Groups(bg, jobs.GroupQuery{}, p)
			return len(l), n, err
		},
		"Members": func(p jobs.Page) (int, string, error) {
			l, n, err := s.Members(bg, "g", false, p)
			return len(l), n, err
		},
		"GroupsOf": func(p jobs.Page) (int, string, error) { l, n, err := s.GroupsOf(bg, "t00", p); return len(l), n, err },
		"Jobs": func(p jobs.Page) (int, string, error) {
			l, n, err := s.Jobs(bg, jobs.JobQuery{}, p)
			return len(l), n, err
		},
		"OfJob": func(p jobs.Page) (int, string, error) {
			l, n, err := s.OfJob(bg, "j", jobs.ExecutionQuery{}, p)
			return len(l), n, err
		},
		"OfThing": func(p jobs.Page) (int, string, error) {
			l, n, err := s.OfThing(bg, "t00", jobs.ExecutionQuery{}, p)
			return len(l), n, err
		},
		"Templates": func(p jobs.Page) (int, string, error) { l, n, err := s.Templates(bg, p); return len(l), n, err },
	}
	want := map[string]int{"Things": 5, "Groups": 2, "Members": 5, "GroupsOf": 2, "Jobs": 2, "OfJob": 5, "OfThing": 2, "Templates": 2}
	after := map[string]string{}
	for name, list := range lists {
		_, next, err := list(jobs.Page{Limit: 1})
		s.OK(err)
		if after[name] = next; next == "" {
			s.Fatalf("%s has no second page", name)
		}
	}
	s.reopen()
	for name, list := range lists {
		n, next, err := list(jobs.Page{After: after[name], Limit: 10})
		s.OK(err)
		if n != want[name]-1 || next != "" {
			s.Fatalf("%s continues with %d, want %d; the next cursor is %q", name, n, want[name]-1, next)
		}
	}
}
