package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
)

// TestRetryStorm lets two handles fail and retry the same executions of one job at once, in transactions that lock them in
// any order. The server rolls some back because of deadlocks or serialization failures. Each is repeated until it succeeds,
// and the counts add up.
func TestRetryStorm(t *testing.T) {
	const things, workers, rounds, together = 24, 8, 6, 8
	url := migrated(t) + "&deadlock_timeout=50" // ms: a second would be most of the test
	var handles []*postgres.Engine
	for range 2 {
		e, err := postgres.Open(t.Context(), postgres.Options{URL: url, Connections: 12, Timeout: time.Minute})
		must(t, err)
		defer func() { _ = e.Close() }()
		handles = append(handles, e)
	}
	job, ids := failing(t, handles[0], things)
	var retried, failed, runs atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			e, random := handles[w%len(handles)], rand.New(rand.NewPCG(7, uint64(w)))
			for range rounds {
				var done int64
				err := e.Update(context.Background(), engine.Work{Rows: together}, func(tx engine.Tx) (err error) {
					runs.Add(1)
					done, err = retrySome(tx, job, ids, random.Perm(things)[:together])
					return err
				})
				if err != nil {
					t.Errorf("a retry: %v", err)
					return
				}
				retried.Add(done)
				n, err := failAgain(e, job, ids, random)
				if err != nil {
					t.Errorf("a report: %v", err)
					return
				}
				failed.Add(n)
			}
		})
	}
	wg.Wait()
	t.Logf("%d retries and %d failures, by %d transactions of which %d ran again", retried.Load(), failed.Load(), workers*rounds, runs.Load()-workers*rounds)
	if retried.Load() == 0 || failed.Load() == 0 {
		t.Error("nothing was retried or failed again")
	}
	r, err := handles[0].Check(t.Context())
	if err != nil || len(r.Faults) > 0 {
		t.Errorf("the store is inconsistent: %+v %v", r.Faults, err)
	}
}

const (
	stormQueued = 0
	stormFailed = 3
)

// failing creates a job whose executions have failed, each with one of three reasons.
func failing(t *testing.T, e *postgres.Engine, n int) (job int64, ids []int64) {
	t.Helper()
	must(t, e.Update(t.Context(), engine.Work{Rows: n}, func(tx engine.Tx) error {
		j := &engine.Job{ID: "storm", Version: 1, Record: "{}"}
		list := make([]engine.Thing, n)
		for i := range list {
			list[i] = engine.Thing{Name: fmt.Sprint("t", i), Version: 1}
		}
		if err := tx.InsertJob(j, nil); err != nil {
			return err
		}
		if err := tx.PutThings(list); err != nil {
			return err
		}
		var changes []engine.Change
		job, ids = j.Seq, nil
		for i := range list {
			ids = append(ids, list[i].ID)
			changes = append(changes, engine.Change{
				Key: engine.Key{Job: job, Thing: list[i].ID},
				New: engine.Execution{Number: 1, Version: 1, Status: stormFailed, Reason: fmt.Sprint("reason ", i%3)},
			})
		}
		if err := tx.PutValues([]engine.Value{{Space: "document", Key: strconv.FormatInt(job, 10), Value: []byte("{}")}}); err != nil {
			return err
		}
		return tx.Apply(changes)
	}))
	return job, ids
}

// retrySome retries the failed ones of some executions, and returns how many these were. It uses two statements, so that
// transactions lock rows in different orders.
func retrySome(tx engine.Tx, job int64, ids []int64, some []int) (n int64, err error) {
	for _, part := range [][]int{some[:len(some)/2], some[len(some)/2:]} {
		keys := make([]engine.Key, len(part))
		for i, at := range part {
			keys[i] = engine.Key{Job: job, Thing: ids[at]}
		}
		rows, err := tx.Executions(keys)
		if err != nil {
			return n, err
		}
		var changes []engine.Change
		for i := range rows {
			if x := &rows[i]; x.Status == stormFailed {
				changes = append(changes, engine.Change{
					Key: engine.Key{Job: job, Thing: x.Thing}, Number: x.Number, Version: x.Version, Status: x.Status,
					New: engine.Execution{Number: x.Number + 1, Version: 1, Status: stormQueued}, Past: x,
				})
			}
		}
		if err := tx.Apply(changes); err != nil {
			return n, err
		}
		for i := range changes {
			if changes[i].Applied {
				n++
			}
		}
	}
	return n, nil
}

// failAgain reports that the queued executions have failed, and returns how many these were.
func failAgain(e *postgres.Engine, job int64, ids []int64, random *rand.Rand) (n int64, err error) {
	for range 4 {
		at := random.IntN(len(ids))
		x, err := e.Execution(context.Background(), fmt.Sprint("t", at), "storm")
		if err != nil {
			return n, err
		}
		if x.Status != stormQueued {
			continue
		}
		next := x
		next.Status, next.Version, next.Reason = stormFailed, x.Version+1, fmt.Sprint("reason ", random.IntN(3))
		changes := []engine.Change{{Key: engine.Key{Job: job, Thing: x.Thing}, Number: x.Number, Version: x.Version, Status: x.Status, New: next}}
		if err := e.Apply(context.Background(), changes); err != nil {
			return n, err
		}
		if changes[0].Applied {
			n++
		}
	}
	return n, nil
}
