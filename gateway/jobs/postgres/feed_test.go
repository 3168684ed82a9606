package postgres_test

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// TestFeedInParts reads entries that were committed together, some at a time: none comes twice, none is left out.
func TestFeedInParts(t *testing.T) {
	e, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.New(t)})
	must(t, err)
	defer func() { _ = e.Close() }()
	_, cursor, err := e.Feed(t.Context(), "", 1, 0)
	must(t, err)
	const entries = 100
	must(t, e.Update(t.Context(), engine.Work{Rows: entries}, func(tx engine.Tx) error {
		var list []engine.Entry
		for i := range entries {
			list = append(list, engine.Entry{Job: int64(1 + i%2), Origin: "test", Payload: fmt.Append(nil, i)})
		}
		return tx.Publish(list)
	}))
	for _, limit := range []int{1, 7, 32, 50, 1000} {
		next := map[int64]int{1: 0, 2: 1}
		for at, read := cursor, 0; read < entries; {
			var list []engine.Entry
			list, at, err = e.Feed(t.Context(), at, limit, 0)
			must(t, err)
			if len(list) == 0 || len(list) > limit {
				t.Fatalf("%d entries with limit %d, %d were read", len(list), limit, read)
			}
			read += len(list)
			for _, x := range list {
				if string(x.Payload) != fmt.Sprint(next[x.Job]) || x.Origin != "test" {
					t.Fatalf("limit %d: job %d: entry %s of %q, want %d", limit, x.Job, x.Payload, x.Origin, next[x.Job])
				}
				next[x.Job] += 2
			}
		}
	}
	for _, bad := range []string{"1", "1.2", "1.2.x", "x.2.0", "1.2.-1"} {
		if _, _, err := e.Feed(t.Context(), bad, 1, 0); err == nil {
			t.Errorf("cursor %q is taken", bad)
		}
	}
}

// TestLongReason ends an execution with a reason longer than an index takes, which is found by it all the same.
func TestLongReason(t *testing.T) {
	e, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.New(t)})
	must(t, err)
	defer func() { _ = e.Close() }()
	random := make([]byte, 3000)
	_, err = rand.Read(random)
	must(t, err)
	reason := hex.EncodeToString(random) // it cannot be compressed to what an index takes
	var seq int64
	must(t, e.Update(t.Context(), engine.Work{Rows: 4}, func(tx engine.Tx) error {
		things := []engine.Thing{{Name: "a"}, {Name: "b"}}
		if err := tx.PutThings(things); err != nil {
			return err
		}
		j := engine.Job{ID: "j", Version: 1}
		if err := tx.InsertJob(&j, nil); err != nil {
			return err
		}
		seq = j.Seq
		var changes []engine.Change
		for i, r := range []string{reason, reason[:200]} {
			changes = append(changes, engine.Change{
				Key: engine.Key{Job: seq, Thing: things[i].ID}, New: engine.Execution{Job: seq, Thing: things[i].ID, Number: 1, Version: 1, Status: engine.FirstEnded + 1, Reason: r},
			})
		}
		return tx.Apply(changes)
	}))
	for _, want := range []string{reason, reason[:200]} {
		q := engine.EndedQuery{Job: seq, Statuses: engine.SetOf(engine.FirstEnded + 1), ByReason: true, Reason: want, Limit: 10}
		must(t, e.View(t.Context(), func(r engine.Reader) error {
			list, err := r.Ended(q)
			if err == nil && (len(list) != 1 || list[0].Reason != want) {
				err = fmt.Errorf("%d lines", len(list))
			}
			return err
		}))
	}
}
