package rules_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/memory"
)

// alone is an engine that no other gateway changes.
type alone struct{ engine.Engine }

func (alone) Shared() bool { return false }

// changeAll makes every kind of change, on the gateways in turn, one a second.
func changeAll(t *testing.T, gateways ...*gateway) {
	turn := 0
	do := func(f func(g *gateway) error) {
		t.Helper()
		if err := f(gateways[turn%len(gateways)]); err != nil {
			t.Fatal(err)
		}
		turn++
		time.Sleep(time.Second)
		synctest.Wait()
	}
	thing := func(name string) {
		do(func(g *gateway) error {
			_, err := g.CreateThing(t.Context(), time.Now(), jobs.CreateThingRequest{Name: name})
			return err
		})
	}
	create := func(id string, r jobs.CreateJobRequest) {
		do(func(g *gateway) error {
			r.ID, r.Document = id, "{}"
			_, err := g.CreateJob(t.Context(), time.Now(), r)
			return err
		})
	}
	report := func(name, id string, status jobs.Status) {
		do(func(g *gateway) error {
			_, err := g.Update(t.Context(), time.Now(), jobs.UpdateExecutionRequest{Thing: name, JobID: id, Status: status})
			return err
		})
	}
	names := gateways[0].Names()
	for _, name := range []string{"a", "b", "c"} {
		thing(name)
	}
	do(func(g *gateway) error {
		_, err := g.CreateGroup(t.Context(), time.Now(), jobs.CreateGroupRequest{Name: "g"})
		return err
	})
	member := jobs.MemberRequest{Thing: "a", Group: "g"}
	do(func(g *gateway) error { return g.AddToGroup(t.Context(), time.Now(), member) })

	create("done", jobs.CreateJobRequest{Targets: []string{names.ThingARN("a"), names.ThingARN("b")}})
	report("a", "done", jobs.InProgress)
	report("a", "done", jobs.Succeeded)
	report("b", "done", jobs.Succeeded) // completes the job

	retry := jobs.Settings{Retry: &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: 1}}}}
	create("retried", jobs.CreateJobRequest{Targets: []string{names.ThingARN("a")}, Settings: retry})
	report("a", "retried", jobs.Failed)

	abort := jobs.Settings{Abort: &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{
		{FailureType: jobs.FailureAll, Action: jobs.ActionCancel, ThresholdPercentage: 1, MinNumberOfExecutedThings: 1},
	}}}
	create("aborted", jobs.CreateJobRequest{Targets: []string{names.ThingARN("a"), names.ThingARN("b")}, Settings: abort})
	report("a", "aborted", jobs.Failed)

	create("continuous", jobs.CreateJobRequest{Targets: []string{names.GroupARN("g")}, Selection: jobs.Continuous})
	do(func(g *gateway) error {
		return g.AddToGroup(t.Context(), time.Now(), jobs.MemberRequest{Thing: "b", Group: "g"})
	})
	do(func(g *gateway) error { return g.RemoveFromGroup(t.Context(), time.Now(), member) })
	do(func(g *gateway) error {
		text := "described"
		return g.UpdateJob(t.Context(), time.Now(), jobs.UpdateJobRequest{ID: "continuous", Description: &text})
	})
	do(func(g *gateway) error {
		_, err := g.AssociateTargets(t.Context(), time.Now(), jobs.AssociateTargetsRequest{ID: "continuous", Targets: []string{names.ThingARN("c")}})
		return err
	})
	do(func(g *gateway) error {
		return g.CancelExecution(t.Context(), time.Now(), jobs.CancelExecutionRequest{Thing: "c", JobID: "continuous"})
	})
	do(func(g *gateway) error {
		return g.DeleteExecution(t.Context(), time.Now(), jobs.DeleteExecutionRequest{Thing: "c", JobID: "continuous", Number: 1})
	})
	do(func(g *gateway) error { return g.DeleteGroup(t.Context(), time.Now(), "g", 0) })
	do(func(g *gateway) error {
		_, err := g.CancelJob(t.Context(), time.Now(), jobs.CancelJobRequest{ID: "continuous", Force: true, ReasonCode: "ENOUGH"})
		return err
	})
	create("timed", jobs.CreateJobRequest{
		Targets: []string{names.ThingARN("c")}, Settings: jobs.Settings{Timeout: &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 1}},
	})
	report("c", "timed", jobs.InProgress)
	time.Sleep(time.Minute)
	do(func(g *gateway) error {
		return g.DeleteJob(t.Context(), time.Now(), jobs.DeleteJobRequest{ID: "continuous", Force: true})
	})
	do(func(g *gateway) error { return g.DeleteThing(t.Context(), time.Now(), "a", 0) })
}

// follow collects a gateway's events, without their times.
func follow(g *gateway) (seen func() []string) {
	events := g.Events().Subscribe(1000, nil)
	return func() (list []string) {
		for len(events.C()) > 0 {
			e := <-events.C()
			list = append(list, fmt.Sprintf("%s %s %s %v %q %s %d.%d %s retry %d missed %d",
				e.Type, e.JobID, e.Job, e.Counts, e.Reason, e.Thing, e.Number, e.Version, e.Status, e.Retry, e.Missed))
		}
		return list
	}
}

// TestFeed makes the same changes on a single gateway and, in turn, on two that share a store. Both must publish the same
// events as the single one, in the same order.
func TestFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newGatewayOver(t, alone{memory.New(memory.Faults{}).Open()}, seldom)
		want := follow(one)
		changeAll(t, one)
		one.stop()
		list := want()
		if len(list) < 40 {
			t.Fatalf("only %d events: %q", len(list), list)
		}

		db := memory.New(memory.Faults{})
		a := newGatewayOver(t, db.Open(), seldom)
		defer a.stop()
		b := newGatewayOver(t, db.Open(), seldom)
		defer b.stop()
		time.Sleep(time.Second)
		synctest.Wait()
		ofA, ofB := follow(a), follow(b)
		changeAll(t, a, b)
		for name, got := range map[string][]string{"a": ofA(), "b": ofB()} {
			for i := range max(len(got), len(list)) {
				if i >= len(got) || i >= len(list) || got[i] != list[i] {
					t.Fatalf("event %d of %s differs from that of a single gateway:\n%q\nwant\n%q", i, name, got[i:min(len(got), i+3)], list[i:min(len(list), i+3)])
				}
			}
		}
		if lag := b.Driver().FeedLag(); lag > time.Second {
			t.Errorf("lag is %v", lag)
		}
	})
}

// seldom is longer than a test: counts are published only with chunks of a rollout, so at the same place everywhere.
const seldom = 24 * time.Hour

// TestFeedCounts: while devices report, both gateways publish a job's counts within some seconds, not once for each report.
func TestFeedCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New(memory.Faults{})
		a, b := newGateway(t, db), newGateway(t, db)
		defer a.stop()
		defer b.stop()
		time.Sleep(time.Second)
		var targets []string
		names := a.Names()
		for i := range 20 {
			thing := fmt.Sprintf("t%d", i)
			if _, err := a.CreateThing(t.Context(), time.Now(), jobs.CreateThingRequest{Name: thing}); err != nil {
				t.Fatal(err)
			}
			targets = append(targets, names.ThingARN(thing))
		}
		if _, err := a.CreateJob(t.Context(), time.Now(), jobs.CreateJobRequest{ID: "j", Document: "{}", Targets: targets}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		follows := []func() []string{follow(a), follow(b)}
		for i := range 20 {
			status := []jobs.Status{jobs.InProgress, jobs.Failed}[i%2]
			if _, err := a.Update(t.Context(), time.Now(), jobs.UpdateExecutionRequest{Thing: fmt.Sprintf("t%d", i), JobID: "j", Status: status}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		want := jobs.Counts{jobs.InProgress: 10, jobs.Failed: 10}
		for i, seen := range follows {
			n, last := 0, ""
			for _, line := range seen() {
				if strings.HasPrefix(line, string(jobs.EventJobProgress)) {
					n, last = n+1, line
				}
			}
			if n < 1 || n > 5 || !strings.Contains(last, fmt.Sprint(want)) {
				t.Errorf("gateway %d published counts %d times, last %q; want %v", i, n, last, want)
			}
		}
	})
}

// TestFeedPruned lets a gateway fall behind until the entries that it has to read are pruned. Its subscribers get
// an event that says so, and the next event.
func TestFeedPruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New(memory.Faults{})
		a := newGateway(t, db)
		defer a.stop()
		slow := &stalled{Engine: db.Open()}
		b := newGatewayOver(t, slow)
		defer b.stop()
		time.Sleep(time.Second)
		events := b.Events().Subscribe(10, nil)
		slow.stall(5 * time.Minute)
		for i := range 5 {
			if _, err := a.CreateThing(t.Context(), time.Now(), jobs.CreateThingRequest{Name: fmt.Sprint("t", i)}); err != nil {
				t.Fatal(err)
			}
			if err := a.DeleteThing(t.Context(), time.Now(), fmt.Sprint("t", i), 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if n := events.Missed(); n == 0 {
			t.Error("a subscriber does not see that it missed events")
		}
		if _, err := a.CreateThing(t.Context(), time.Now(), jobs.CreateThingRequest{Name: "last"}); err != nil {
			t.Fatal(err)
		}
		if err := a.DeleteThing(t.Context(), time.Now(), "last", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		var got []string
		for len(events.C()) > 0 {
			got = append(got, (<-events.C()).Thing)
		}
		if !slices.Equal(got, []string{"last"}) {
			t.Errorf("after that it got %q", got)
		}
	})
}

// stalled is an engine whose feed stops for a while.
type stalled struct {
	engine.Engine
	mu    sync.Mutex
	until time.Time
}

func (s *stalled) stall(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(d)
}

func (s *stalled) Feed(ctx context.Context, after string, limit int, wait time.Duration) ([]engine.Entry, string, error) {
	entries, next, err := s.Engine.Feed(ctx, after, limit, wait)
	s.mu.Lock()
	until := s.until
	s.mu.Unlock()
	if d := time.Until(until); d > 0 {
		time.Sleep(d)
		return nil, after, nil
	}
	return entries, next, err
}
