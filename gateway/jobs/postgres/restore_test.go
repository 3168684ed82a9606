package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// restored is a database that is dumped and restored while a handle stays open.
type restored struct {
	*testing.T
	server *pgtest.Server
	url    string
	*postgres.Engine
}

func newRestored(t *testing.T) *restored {
	t.Helper()
	server, err := pgtest.Start(os.TempDir(), true)
	pgtest.Require(t, err)
	t.Cleanup(server.Remove)
	r := &restored{T: t, server: server, url: server.Database(t, "jobgate")}
	r.Engine = r.open(r.url)
	return r
}

func (r *restored) open(url string) *postgres.Engine {
	r.Helper()
	e, err := postgres.Open(r.Context(), postgres.Options{URL: url})
	must(r.T, err)
	r.Cleanup(func() { _ = e.Close() })
	return e
}

// run runs one of the server's programs.
func (r *restored) run(name string, args ...string) {
	r.Helper()
	if text, err := exec.CommandContext(r.Context(), r.server.Program(name), args...).CombinedOutput(); err != nil {
		r.Fatalf("%s: %v\n%s", name, err, text)
	}
}

// dump backs up the database and returns the file.
func (r *restored) dump() string {
	r.Helper()
	name := r.TempDir() + "/jobs.dump"
	r.run("pg_dump", "-Fc", "-f", name, r.url)
	return name
}

// execute runs statements in a server's database postgres.
func (r *restored) execute(s *pgtest.Server, statements ...string) {
	r.Helper()
	conn, err := pgx.Connect(r.Context(), s.URL("postgres"))
	must(r.T, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, sql := range statements {
		_, err := conn.Exec(r.Context(), sql)
		must(r.T, err)
	}
}

// job creates a job with an execution on the thing t.
func (r *restored) job(e *postgres.Engine, id string) {
	r.Helper()
	must(r.T, e.Update(r.Context(), engine.Work{Rows: 3}, func(tx engine.Tx) error {
		things, err := tx.Things([]string{"t"})
		if err != nil {
			return err
		}
		if len(things) == 0 {
			things = []engine.Thing{{Name: "t"}}
			if err := tx.PutThings(things); err != nil {
				return err
			}
		}
		j := engine.Job{ID: id, Version: 1, Active: true}
		if err := tx.InsertJob(&j, nil); err != nil {
			return err
		}
		key := engine.Key{Job: j.Seq, Thing: things[0].ID}
		return tx.Apply([]engine.Change{{Key: key, New: engine.Execution{Job: j.Seq, Thing: key.Thing, Number: 1, Version: 1}}})
	}))
}

// publish adds an entry to the feed, and reads from the cursor until it arrives, as the only one.
func (r *restored) publish(e *postgres.Engine, cursor, payload string) (next string) {
	r.Helper()
	must(r.T, reconnected(func() error {
		return e.Update(r.Context(), engine.Work{Rows: 1}, func(tx engine.Tx) error {
			return tx.Publish([]engine.Entry{{Job: 1, Payload: []byte(payload)}})
		})
	}))
	var list []engine.Entry
	must(r.T, reconnected(func() (err error) {
		list, next, err = e.Feed(r.Context(), cursor, 10, 10*time.Second)
		return err
	}))
	if len(list) != 1 || string(list[0].Payload) != payload {
		r.Fatalf("the feed has %v, want only %q", list, payload)
	}
	return next
}

// begin returns a cursor after all entries so far.
func (r *restored) begin(e *postgres.Engine) string {
	r.Helper()
	var cursor string
	must(r.T, reconnected(func() (err error) {
		_, cursor, err = e.Feed(r.Context(), "", 10, 0)
		return err
	}))
	return cursor
}

// reconnected retries f while it is unavailable: the connections that a restore ended fail once.
func reconnected(f func() error) (err error) {
	for range 50 {
		if err = f(); !errors.Is(err, engine.ErrUnavailable) {
			break
		}
	}
	return err
}

// missed checks that a reader at each cursor gets ErrMissed.
func (r *restored) missed(e *postgres.Engine, cursors ...string) {
	r.Helper()
	for _, c := range cursors {
		err := reconnected(func() error {
			_, _, err := e.Feed(r.Context(), c, 10, 0)
			return err
		})
		if !errors.Is(err, engine.ErrMissed) {
			r.Errorf("a reader at %s gets %v", c, err)
		}
	}
}

// TestRestoredElsewhere restores a dump into another server, whose transaction numbers are lower. Readers from the first
// server get ErrMissed; old entries do not appear again, and new ones do.
func TestRestoredElsewhere(t *testing.T) {
	t.Parallel()
	r := newRestored(t)
	r.execute(r.server, `DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`)
	cursor := r.publish(r.Engine, r.begin(r.Engine), "pruned")
	must(t, r.PruneFeed(t.Context(), -time.Hour)) // the mark of pruning is a transaction number of this server, too
	before := r.publish(r.Engine, cursor, "before the backup")
	dump := r.dump()
	after := r.publish(r.Engine, before, "after the backup")

	other, err := pgtest.StartApart(os.TempDir(), true)
	pgtest.Require(t, err)
	t.Cleanup(other.Remove)
	url := other.Database(t, "jobgate")
	r.run("pg_restore", "-d", url, dump)
	a, b := r.open(url), r.open(url)
	r.missed(a, before, after)
	ofA, ofB := r.begin(a), r.begin(b)
	r.publish(a, ofA, "new")
	list, _, err := b.Feed(t.Context(), ofB, 10, 10*time.Second)
	must(t, err)
	if len(list) != 1 || string(list[0].Payload) != "new" || b.Lag() != 0 {
		t.Errorf("another handle reads %v, lag %v", list, b.Lag())
	}
}

// TestRestoredInPlace replaces a database that handles have open by a dump. Its readers get ErrMissed, and a cached job is
// not taken for a new one with the same row.
func TestRestoredInPlace(t *testing.T) {
	t.Parallel()
	r := newRestored(t)
	before := r.publish(r.Engine, r.begin(r.Engine), "before the backup")
	dump := r.dump()
	after := r.publish(r.Engine, before, "after the backup")
	pending := func(want string) error {
		var list []engine.Execution
		err := reconnected(func() (err error) {
			list, err = r.Pending(t.Context(), nil, "t")
			return err
		})
		if err == nil && (len(list) != 1 || list[0].Of.ID != want) {
			err = fmt.Errorf("%d executions are pending, want one of %q", len(list), want)
		}
		return err
	}
	r.job(r.Engine, "lost")
	must(t, pending("lost"))

	r.execute(r.server, "DROP DATABASE jobgate WITH (FORCE)", "CREATE DATABASE jobgate")
	r.run("pg_restore", "-d", r.url, dump)
	other := r.open(r.url)
	r.job(other, "new")
	r.missed(r.Engine, before, after)
	r.publish(r.Engine, r.begin(r.Engine), "new")
	must(t, pending("new"))
}

// TestFailedOver promotes a standby. A reader gets ErrMissed, because the standby may lack changes that it has read.
func TestFailedOver(t *testing.T) {
	t.Parallel()
	r := newRestored(t)
	cursor := r.publish(r.Engine, r.begin(r.Engine), "before")
	standby, err := r.server.Standby()
	must(t, err)
	t.Cleanup(standby.Remove)
	must(t, standby.Promote(t.Context()))
	e := r.open(standby.URL("jobgate"))
	r.missed(e, cursor)
	r.publish(e, r.begin(e), "after")
}
