package postgres_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// TestFeedInParts reads entries that were committed together, some at a time. None is repeated and none is missing.
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
	for _, bad := range []string{"1", "1.2.0", "h.1.2.x", "h.x.2.0", "h.1.x.0", "h.1.2.-1", "h.1.2.0"} {
		if _, _, err := e.Feed(t.Context(), bad, 1, 0); err == nil {
			t.Errorf("cursor %q is accepted", bad)
		}
	}
}

// TestLongReason ends an execution with a reason that is too long for an index. The execution can still be found by it.
func TestLongReason(t *testing.T) {
	e, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.New(t)})
	must(t, err)
	defer func() { _ = e.Close() }()
	random := make([]byte, 3000)
	_, err = rand.Read(random)
	must(t, err)
	reason := hex.EncodeToString(random) // cannot be compressed enough for an index
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

// TestFeedHeldBack keeps a foreign transaction open. Later commits are not read until it ends, and the lag shows that.
func TestFeedHeldBack(t *testing.T) {
	url := pgtest.New(t)
	e, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	defer func() { _ = e.Close() }()
	foreign, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer func() { _ = foreign.Close(context.Background()) }()
	_, err = foreign.Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id()")
	must(t, err)
	_, cursor, err := e.Feed(t.Context(), "", 1, 0)
	must(t, err)
	must(t, e.Update(t.Context(), engine.Work{Rows: 1}, func(tx engine.Tx) error {
		return tx.Publish([]engine.Entry{{Job: 1, Payload: []byte("x")}})
	}))
	list, cursor, err := e.Feed(t.Context(), cursor, 1, 0)
	must(t, err)
	before := e.Lag()
	if len(list) > 0 || before <= 0 {
		t.Fatalf("%d entries while a transaction is open, lag %v", len(list), before)
	}
	_, cursor, err = e.Feed(t.Context(), cursor, 1, 0)
	must(t, err)
	if e.Lag() <= before {
		t.Errorf("the lag went from %v to %v", before, e.Lag())
	}
	_, err = foreign.Exec(t.Context(), "ROLLBACK")
	must(t, err)
	list, _, err = e.Feed(t.Context(), cursor, 1, 10*time.Second)
	must(t, err)
	if len(list) != 1 || e.Lag() != 0 {
		t.Errorf("%d entries after it, lag %v", len(list), e.Lag())
	}
}
