package view

import (
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobs/engine"
)

// TestStaleTimers starts and ends many executions with a deadline in a week. Their stale timers must be dropped, and the
// executions that still run must keep theirs.
func TestStaleTimers(t *testing.T) {
	v := New()
	v.Jobs.Add(&engine.Job{Seq: 1, ID: "j"}, engine.Progress{})
	const running, rounds = 50, 40_000
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	week := int64(7 * 24 * time.Hour / time.Millisecond)
	run := func(thing, now int64) {
		v.Put(&engine.Execution{Job: 1, Thing: thing, Number: 1, Version: 2, Status: 1, Deadline: now + week})
	}
	for id := range int64(running + 100) {
		v.AddThing(id+1, fmt.Sprint("t", id+1))
	}
	for id := range int64(running) {
		run(id+1, start)
	}
	most := 0
	for i := range int64(rounds) {
		thing, now := running+1+i%100, start+i*10
		run(thing, now)
		v.Drop(thing, 1)
		if i%100 == 0 {
			if due, next := v.Due(now, 10); len(due) != 0 || next > start+week {
				t.Fatalf("due %v, next at %d, want none and at most %d", due, next, start+week)
			}
			most = max(most, len(v.timers.heap))
		}
	}
	if most > 2*manyStale {
		t.Errorf("%d timers for %d running executions", most, running)
	}
	if due, _ := v.Due(start+week, 1000); len(due) != running {
		t.Errorf("%d are due, want %d", len(due), running)
	}
}
