package rules_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/memory"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
)

// gateway is one of several that share a database.
type gateway struct {
	*operations.Service
	stop func() // ends Run
}

func newGateway(t *testing.T, db *memory.Database) *gateway {
	t.Helper()
	return newGatewayOver(t, db.Open())
}

func newGatewayOver(t *testing.T, e engine.Engine, publishEvery ...time.Duration) *gateway {
	t.Helper()
	c := operations.Config{Store: rules.Over(e), Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}}
	if len(publishEvery) > 0 {
		c.PublishEvery = publishEvery[0]
	}
	s, err := operations.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Driver().Run(ctx) })
	return &gateway{s, func() { cancel(); wg.Wait() }}
}

// TestLead lets one of two gateways drive. It handles reports to the other within a second, and hands over at once when it
// stops. The lease of a gateway that was killed expires.
func TestLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memory.New(memory.Faults{})
		if _, held, err := db.Open().Acquire(t.Context(), "drive", "killed", 8*time.Second); err != nil || !held {
			t.Fatal(held, err)
		}
		a := newGateway(t, db)
		defer a.stop()
		wait := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		wait(7 * time.Second)
		if a.Driver().Leads() {
			t.Error("a gateway leads while another's lease lasts")
		}
		wait(3 * time.Second)
		b := newGateway(t, db)
		wait(time.Second)
		if !a.Driver().Leads() || b.Driver().Leads() {
			t.Errorf("ten seconds after the leader was killed: %v %v, want a to lead", a.Driver().Leads(), b.Driver().Leads())
		}
		status := func(id string) string {
			d, err := b.DescribeJob(t.Context(), time.Now(), id)
			if err != nil {
				t.Fatal(err)
			}
			return d.Job.Status.String()
		}
		run := func(id string) {
			t.Helper()
			r := jobs.CreateJobRequest{ID: id, Document: "{}", Targets: []string{b.Names().ThingARN("t")}}
			if _, err := b.CreateJob(t.Context(), time.Now(), r); err != nil {
				t.Fatal(err)
			}
			_, err := b.Update(t.Context(), time.Now(), jobs.UpdateExecutionRequest{Thing: "t", JobID: id, Status: jobs.Succeeded})
			if err != nil {
				t.Fatal(err)
			}
			if wait(1100 * time.Millisecond); status(id) != "COMPLETED" {
				t.Errorf("a second after its last report job %s is %s", id, status(id))
			}
		}
		if _, err := b.CreateThing(t.Context(), time.Now(), jobs.CreateThingRequest{Name: "t"}); err != nil {
			t.Fatal(err)
		}
		run("one") // b gets the report, a drives
		a.stop()
		wait(1100 * time.Millisecond)
		if a.Driver().Leads() || !b.Driver().Leads() {
			t.Errorf("a second after its end: %v %v, want b to lead", a.Driver().Leads(), b.Driver().Leads())
		}
		run("two")
		b.stop()
	})
}
