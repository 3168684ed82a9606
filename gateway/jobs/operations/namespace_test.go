package operations_test

import (
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// A device that names a namespace is offered that namespace's jobs only.
func TestNamespaces(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.create("plain", nil)
	f.now = f.now.Add(time.Second)
	f.create("green", func(r *jobs.CreateJobRequest) { r.NamespaceID = "gg" })
	pending := func(n jobs.Namespace) string {
		t.Helper()
		p, err := f.GetPendingIn(bg, "a", n, nil)
		f.ok(err)
		var ids []string
		for _, e := range append(p.InProgress, p.Queued...) {
			ids = append(ids, e.Job.ID)
		}
		return strings.Join(ids, " ")
	}
	none, gg := jobs.Namespace{Only: true}, jobs.Namespace{ID: "gg", Only: true}
	f.same("all", pending(jobs.Namespace{}), "plain green")
	f.same("those without", pending(none), "plain")
	f.same("gg's", pending(gg), "green")
	f.same("another's", pending(jobs.Namespace{ID: "x", Only: true}), "")

	describe := func(id string, n jobs.Namespace) error {
		_, _, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: id, Namespace: n})
		return err
	}
	f.ok(describe("green", gg))
	f.ok(describe("green", none)) // by its ID
	f.is(describe("plain", gg), jobs.ErrNotFound, "plain")
	d, found, err := f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "a", Namespace: gg})
	f.ok(err)
	f.same("started", d.Execution.Job.ID, "green")
	f.same("found", found, true)
	d, _, err = f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: jobs.Next, Namespace: none})
	f.ok(err)
	f.same("the next without a namespace", d.Execution.Job.ID, "plain") // although green is in progress
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "a", JobID: "plain", Status: jobs.Succeeded, Namespace: gg})
	f.is(err, jobs.ErrNotFound, "plain")
}

// The deletion of a thing is published even if nothing was pending for it.
func TestThingDeletedIsPublished(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	events := f.Events().Subscribe(10, nil)
	defer events.Close()
	f.ok(f.DeleteThing(bg, f.now, "a", 0))
	e, err := events.Next(bg)
	f.ok(err)
	f.same("event", e.Type, jobs.EventThingDeleted)
	f.same("thing", e.Thing, "a")
}
