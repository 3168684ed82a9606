package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
)

// budget is a service over an engine that counts its calls.
type budget struct {
	*testing.T
	*operations.Service
	store jobs.Store
	db    *memory.Database
	now   time.Time
}

func newBudget(t *testing.T, things int) *budget {
	t.Helper()
	b := &budget{T: t, db: memory.New(memory.Faults{}), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.store = rules.Over(b.db.Open())
	var err error
	b.Service, err = operations.New(operations.Config{Store: b.store, Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}})
	b.ok(err)
	list, names := make([]jobs.Thing, things), make([]string, things)
	for i := range list {
		names[i] = fmt.Sprintf("t%04d", i)
		list[i] = jobs.Thing{Name: names[i], ID: names[i], Version: 1}
	}
	b.ok(b.store.CreateThings(t.Context(), list))
	for _, group := range []string{"g", "empty"} {
		_, err := b.CreateGroup(t.Context(), b.now, jobs.CreateGroupRequest{Name: group})
		b.ok(err)
	}
	_, err = b.store.ChangeMembers(t.Context(), jobs.MemberChange{Things: names, Add: []string{"g"}, Now: b.now})
	b.ok(err)
	return b
}

func (b *budget) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// create creates a continuous job for a group.
func (b *budget) create(id, group string) {
	b.Helper()
	_, err := b.CreateJob(b.Context(), b.now, jobs.CreateJobRequest{
		ID: id, Document: "{}", Selection: jobs.Continuous, Targets: []string{b.Names().GroupARN(group)},
	})
	b.ok(err)
}

// atMost runs do, which may make at most so many calls of the engine.
func (b *budget) atMost(most int, what string, do func() error) {
	b.Helper()
	b.db.Calls()
	b.ok(do())
	if calls := b.db.Calls(); len(calls) > most {
		b.Errorf("%s makes %d calls, want at most %d: %s", what, len(calls), most, strings.Join(calls, " "))
	} else if len(calls) == 0 {
		b.Errorf("%s makes no call", what)
	}
}

// TestBudgets bounds the engine calls of each operation.
func TestBudgets(t *testing.T) {
	b := newBudget(t, 4500)
	ctx := t.Context()
	b.create("j", "g") // queues the first chunk
	p, err := b.store.Progress(ctx, "j")
	b.ok(err)
	b.atMost(6, "a chunk of 2,000 things", func() error {
		r, err := b.store.QueueChunk(ctx, jobs.QueueChunk{JobID: "j", After: p.Chunks, Limit: 2000, Now: b.now, Pace: b.now, Names: true})
		if r.Queued != 2000 {
			t.Errorf("%d queued", r.Queued)
		}
		return err
	})
	describe := func() error {
		_, found, err := b.Describe(ctx, jobs.DescribeExecutionRequest{Thing: "t0007", JobID: jobs.Next, Document: true})
		if !found {
			t.Error("nothing is pending")
		}
		return err
	}
	b.ok(describe()) // compiles the document
	b.atMost(1, "$next", describe)
	report := func(thing string, status jobs.Status) func() error {
		return func() error {
			_, err := b.Update(ctx, b.now, jobs.UpdateExecutionRequest{Thing: thing, JobID: "j", Status: status})
			return err
		}
	}
	b.atMost(2, "a report", report("t0007", jobs.InProgress))
	b.atMost(2, "a report of an end", report("t0007", jobs.Failed))
	_, err = b.CreateJob(ctx, b.now, jobs.CreateJobRequest{ID: "one", Document: "{}", Targets: []string{b.Names().ThingARN("t0001")}})
	b.ok(err)
	b.atMost(2, "the last report of a job", func() error {
		_, err := b.Update(ctx, b.now, jobs.UpdateExecutionRequest{Thing: "t0001", JobID: "one", Status: jobs.Succeeded})
		return err
	})
	for i := range 100 {
		b.create(fmt.Sprint("of-empty-", i), "empty")
	}
	b.atMost(2, "ListJobs of 100", func() error {
		list, _, err := b.ListJobs(ctx, jobs.JobQuery{}, jobs.Page{Limit: 100})
		if len(list) != 100 || list[0].GroupID == "" {
			t.Errorf("%d jobs, the first of group %q", len(list), list[0].GroupID)
		}
		return err
	})
	member := jobs.MemberRequest{Thing: "t0042", Group: "empty"}
	b.atMost(8, "joining a group of 100 jobs", func() error { return b.AddToGroup(ctx, b.now, member) })
	b.atMost(8, "leaving it", func() error { return b.RemoveFromGroup(ctx, b.now, member) })
	b.atMost(8, "joining it again", func() error { return b.AddToGroup(ctx, b.now, member) })
	for i := range 100 { // child groups: listings name their ancestors
		_, err := b.CreateGroup(ctx, b.now, jobs.CreateGroupRequest{Name: fmt.Sprintf("child-%02d", i), Parent: "empty"})
		b.ok(err)
	}
	list := func(most int, what string, want int, list func() ([]jobs.GroupDetail, string, error)) {
		t.Helper()
		b.atMost(most, what, func() error {
			groups, _, err := list()
			if len(groups) != want {
				t.Errorf("%s: %d groups, want %d", what, len(groups), want)
			}
			return err
		})
	}
	for _, q := range []jobs.GroupQuery{{Recursive: true, Prefix: "child-"}, {Parent: "empty"}, {Parent: "empty", Recursive: true}} {
		list(2, fmt.Sprintf("listing 100 groups by %+v", q), 100, func() ([]jobs.GroupDetail, string, error) {
			return b.ListGroups(ctx, q, jobs.Page{Limit: 250})
		})
	}
	if e, err := b.store.Execution(ctx, "t0042", "of-empty-99", 0); err != nil || e.Number != 2 || e.Status != jobs.Queued {
		t.Errorf("%+v, %v: the job did not reach the thing that joined", e, err)
	}
}
