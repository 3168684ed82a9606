package model

import (
	"fmt"
	"slices"
	"strings"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/storetest"
)

// executions lists a job's latest executions in the store.
func (r *run) executions(id string) (all []jobs.Execution) {
	for page := (jobs.Page{Limit: 5}); ; {
		list, next, err := r.store.OfJob(bg, id, jobs.ExecutionQuery{}, page)
		r.ok("OfJob", err, nil)
		all = append(all, list...)
		if page.After = next; next == "" {
			return all
		}
	}
}

// compare compares the whole store with the model.
func (r *run) compare() {
	r.Helper()
	var ids []string
	for page := (jobs.Page{Limit: 3}); ; {
		list, next, err := r.service.ListJobs(bg, jobs.JobQuery{}, page)
		r.ok("ListJobs", err, nil)
		for _, j := range list {
			ids = append(ids, j.Job.ID)
		}
		if page.After = next; next == "" {
			break
		}
	}
	var want []string
	var totals jobs.Counts
	for _, j := range r.model.sorted() {
		want = append([]string{j.ID}, want...)
		for i, n := range j.counts() {
			totals[i] += n
		}
		r.compareJob(j)
	}
	r.same("jobs", ids, want)
	have, err := r.service.Totals(bg)
	r.ok("Totals", err, nil)
	r.same("totals", have, totals)
	for i := range modelThings {
		r.compareThing(fmt.Sprint("t", i))
	}
	r.compareGroups()
	r.compareRegistry()
}

func (r *run) same(what string, got, want any) {
	r.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		r.Fatalf("%s\n  is    %s\n  model %s", what, g, w)
	}
}

func (r *run) compareJob(j *modelJob) {
	r.Helper()
	d, err := r.service.DescribeJob(bg, r.model.now, j.ID)
	r.ok("DescribeJob", err, nil)
	r.seen["job "+j.Status.String()]++
	have := make(map[string]string)
	for _, e := range r.executions(j.ID) {
		r.seen[e.Status.String()]++
		if e.Retry > 0 {
			r.seen["retried"]++
		}
		if e.Number > 1 && e.Retry == 0 {
			r.seen["joined again"]++
		}
		have[e.Thing] = storetest.State(&e)
	}
	want := make(map[string]string)
	for thing := range j.things {
		want[thing] = storetest.State(j.latest(thing))
	}
	r.same("executions of "+j.ID, have, want)
	r.same("job "+j.ID,
		fmt.Sprint(d.Job.Status, d.Job.ForceCanceled, d.Job.Stopped, d.Job.Ended, d.Job.Sweep, d.Job.CompletedAt.UTC(), d.Counts),
		fmt.Sprint(j.Status, j.ForceCanceled, j.Stopped, j.Ended, jobs.SweepNone, j.CompletedAt.UTC(), j.counts()))
}

// compareThing compares what a device sees, and its history.
func (r *run) compareThing(thing string) {
	r.Helper()
	if r.model.things[thing] == nil {
		_, err := r.service.GetPending(bg, thing, nil)
		r.ok("GetPending", err, jobs.ErrNotFound)
		return
	}
	pending, err := r.service.GetPending(bg, thing, nil)
	r.ok("GetPending", err, nil)
	var have, want, history []string
	for _, e := range append(slices.Clone(pending.InProgress), pending.Queued...) {
		have = append(have, e.Job.ID+storetest.State(&e))
	}
	var offered []*modelJob
	for _, j := range r.model.jobs {
		for _, e := range j.things[thing] {
			history = append(history, j.ID+storetest.State(&e))
		}
		if e := j.latest(thing); e != nil && (e.Status == jobs.InProgress || (e.Status == jobs.Queued && j.Status == jobs.JobInProgress)) {
			offered = append(offered, j)
		}
	}
	slices.SortFunc(offered, func(a, b *modelJob) int {
		if before(a, a.latest(thing), b, b.latest(thing)) {
			return -1
		}
		return 1
	})
	for _, j := range offered {
		want = append(want, j.ID+storetest.State(j.latest(thing)))
	}
	r.same("pending of "+thing, strings.Join(have, "\n"), strings.Join(want, "\n"))

	have = nil
	for page := (jobs.Page{Limit: 4}); ; {
		list, next, err := r.store.OfThing(bg, thing, jobs.ExecutionQuery{}, page)
		r.ok("OfThing", err, nil)
		for _, e := range list {
			have = append(have, e.Job.ID+storetest.State(&e))
		}
		if page.After = next; next == "" {
			break
		}
	}
	slices.Sort(have)
	slices.Sort(history)
	r.same("history of "+thing, strings.Join(have, "\n"), strings.Join(history, "\n"))
}

// checkSeen checks that every state occurred.
func (r *run) checkSeen() {
	r.Helper()
	r.Logf("compared: %v", r.seen)
	for s := range jobs.Status(jobs.Statuses) {
		if r.seen[s.String()] == 0 && (r.timers || s != jobs.TimedOut) {
			r.Errorf("no execution was ever %s", s)
		}
	}
	for _, what := range []string{
		"job SCHEDULED", "job IN_PROGRESS", "job COMPLETED", "job CANCELED", "retried", "joined again",
	} {
		if r.seen[what] == 0 {
			r.Errorf("nothing was ever %s", what)
		}
	}
}

func (r *run) compareGroups() {
	r.Helper()
	for i := range modelGroups {
		name := fmt.Sprint("g", i)
		g := r.model.groups[name]
		have, _, err := r.service.ListMembers(bg, name, false, jobs.Page{Limit: 100})
		if g == nil {
			r.ok("ListMembers", err, jobs.ErrNotFound)
			continue
		}
		r.ok("ListMembers", err, nil)
		var want []string
		for thing, t := range r.model.things {
			if _, in := t.groups[g]; in {
				want = append(want, thing)
			}
		}
		slices.Sort(have)
		slices.Sort(want)
		r.same("members of "+name, have, want)
	}
}
