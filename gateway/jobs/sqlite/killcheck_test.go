package sqlite_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"jobgate/gateway/jobs"
)

// check compares a store with the answers.
func (a *answers) check(t *testing.T, store jobs.Store) {
	t.Helper()
	for id := range a.jobs {
		j, err := store.Job(bg, id)
		switch {
		case err != nil && !a.deleting[id]:
			t.Errorf("job %s was created and is lost: %v", id, err)
		case err == nil && a.deleted[id] && j.Status != jobs.JobDeleting:
			t.Errorf("job %s was deleted, but is %s", id, j.Status)
		case err == nil && a.described[id] && j.Description != id:
			t.Errorf("job %s was described, but its description is %q", id, j.Description)
		}
	}
	for id := range a.canceled {
		if j, err := store.Job(bg, id); err == nil && j.Pending() {
			t.Errorf("job %s was canceled, but is %s", id, j.Status)
		}
	}
	var totals jobs.Counts
	for page := (jobs.Page{Limit: 100}); ; {
		list, next, err := store.Jobs(bg, jobs.JobQuery{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, listed := range list {
			counts := a.checkJob(t, store, listed.Job)
			for i, n := range counts {
				totals[i] += n
			}
		}
		if page.After = next; next == "" {
			break
		}
	}
	if have, err := store.Totals(bg); err != nil || have != totals {
		t.Errorf("totals are %v, but the executions add up to %v (%v)", have, totals, err)
	}
	a.checkAnswers(t, store)
	a.checkStopped(t, store)
	a.checkMembers(t, store)
}

// checkStopped checks that each canceled execution has a canceled attempt. A later attempt may exist if the thing joined the
// group again.
func (a *answers) checkStopped(t *testing.T, store jobs.Store) {
	t.Helper()
	for key := range a.stopped {
		thing, job := key[0], key[1]
		latest, err := store.Execution(bg, thing, job, 0)
		if err != nil {
			if !a.deleting[job] || !errors.Is(err, jobs.ErrNotFound) {
				t.Errorf("%s %s was canceled and is lost: %v", thing, job, err)
			}
			continue
		}
		canceled := latest.Status == jobs.Canceled
		for n := int64(1); n < latest.Number && !canceled; n++ {
			past, err := store.Execution(bg, thing, job, n)
			canceled = err == nil && past.Status == jobs.Canceled
		}
		if !canceled {
			t.Errorf("%s %s was canceled, but is #%d %s", thing, job, latest.Number, latest.Status)
		}
	}
}

// checkMembers compares memberships with the answers.
func (a *answers) checkMembers(t *testing.T, store jobs.Store) {
	t.Helper()
	members, _, err := store.Members(bg, "all", false, jobs.Page{Limit: killThings})
	if err != nil {
		t.Fatal(err)
	}
	for thing, answered := range a.members {
		if is := slices.Contains(members, thing); answered != unknown && is != (answered == in) {
			t.Errorf("%s is a member: %v, but the last answer says otherwise", thing, is)
		}
	}
}

// checkJob compares a job's counts with its executions, and the pending executions that devices get with the stored ones.
func (a *answers) checkJob(t *testing.T, store jobs.Store, j *jobs.Job) (counts jobs.Counts) {
	t.Helper()
	seen := make(map[string]bool)
	for page := (jobs.Page{Limit: 250}); ; {
		list, next, err := store.OfJob(bg, j.ID, jobs.ExecutionQuery{}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if seen[e.Thing] {
				t.Errorf("%s has two executions of %s", e.Thing, j.ID)
			}
			seen[e.Thing] = true
			counts[e.Status]++
			shown := jobs.Execution{Status: jobs.Removed}
			pending, err := store.Pending(bg, nil, e.Thing)
			for _, p := range pending {
				if p.Job.ID == j.ID {
					shown = p
				}
			}
			if err != nil || shown.Status.Terminal() != e.Status.Terminal() || (!e.Status.Terminal() && shown.Version != e.Version) {
				t.Errorf("%s %s is stored as %+v, but its device gets %+v (%v)", e.Thing, j.ID, e, shown, err)
			}
		}
		if page.After = next; next == "" {
			break
		}
	}
	p, err := store.Progress(bg, j.ID)
	if err != nil || p.Counts != counts {
		t.Errorf("job %s has the counts %v, but its executions add up to %v (%v)", j.ID, p.Counts, counts, err)
	}
	return counts
}

// checkAnswers checks that no answered update is lost.
func (a *answers) checkAnswers(t *testing.T, store jobs.Store) {
	t.Helper()
	for key, last := range a.executions {
		thing, job, _ := strings.Cut(key, " ")
		e, err := store.Execution(bg, thing, job, 0)
		switch {
		case err != nil:
			if !a.deleting[job] || !errors.Is(err, jobs.ErrNotFound) {
				t.Errorf("%s was answered %+v and is lost: %v", key, last, err)
			}
			continue
		case e.Number < last.number || (e.Number == last.number && e.Version < last.version):
			t.Errorf("%s was answered %+v, but is #%d v%d %s", key, last, e.Number, e.Version, e.Status)
		case e.Number == last.number && e.Version == last.version && (e.Status != last.status || string(e.Details) != last.details):
			t.Errorf("%s was answered %+v, but is %s %s", key, last, e.Status, e.Details)
		}
		for n := int64(1); n < e.Number; n++ { // earlier attempts must have ended
			past, err := store.Execution(bg, thing, job, n)
			if err != nil || !past.Status.Terminal() {
				t.Errorf("%s #%d is %s, although #%d exists (%v)", key, n, past.Status, e.Number, err)
			}
		}
	}
}
