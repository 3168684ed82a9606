package sqlite

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/sqlite/dbfile"
)

// writeStore creates a database by running the steps.
func writeStore(t *testing.T, steps ...func(*sqlite.Conn) error) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "jobs.db")
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		err = errors.Join(err, step(c))
	}
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func script(text string) func(*sqlite.Conn) error {
	return func(c *sqlite.Conn) error { return sqlitex.ExecuteScript(c, text, nil) }
}

func version(n int) func(*sqlite.Conn) error {
	return func(c *sqlite.Conn) error { return dbfile.MigrateTo(c, n) }
}

// TestMigrationFirst migrates a store with rows from the first version to this one.
func TestMigrationFirst(t *testing.T) {
	s := open(t, writeStore(t, version(1), script(`INSERT INTO templates VALUES ('old', '{"id":"old","description":"from version 1"}')`)))
	if old, err := s.Template(bg, "old"); err != nil || old.Description != "from version 1" {
		t.Errorf("%+v, %v", old, err)
	}
	if secret, err := s.Secret(bg, "one"); err != nil || len(secret) != jobs.SecretSize {
		t.Errorf("%d bytes, %v", len(secret), err)
	}
}

// version2 writes a store of version 2 (testdata/version2.sql), from before the rules were separated from the engine: jobs in
// every state, executions with attempts and reasons, tags, a template, a secret, a deleted thing and a deleted group.
func version2(t *testing.T) func(*sqlite.Conn) error {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "version2.sql"))
	if err != nil {
		t.Fatal(err)
	}
	return script(string(text))
}

// TestMigration migrates the store of version 2 to this version, checks its rows, and continues its jobs.
func TestMigration(t *testing.T) {
	s := open(t, writeStore(t, version2(t)))
	same := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	list, _, err := s.Jobs(bg, jobs.JobQuery{}, jobs.Page{Limit: 9})
	ok(err)
	var states []string
	for _, j := range list {
		states = append(states, fmt.Sprintf("%s %s %v %s", j.Job.ID, j.Job.Status, j.Progress.Counts, j.Job.CreatedAt.Format("15:04:05.000")))
	}
	same("jobs", states, []string{
		"later SCHEDULED [0 0 0 0 0 0 0 0] 12:00:00.250", "named IN_PROGRESS [1 0 0 0 0 0 0 0] 12:00:00.250",
		"canceled CANCELED [0 0 0 0 0 0 0 10] 12:00:00.250", "done COMPLETED [0 0 1 1 0 0 0 0] 12:00:00.250",
		"slow IN_PROGRESS [2 0 0 0 0 0 0 0] 12:00:00.250", "open IN_PROGRESS [6 1 1 0 0 1 1 0] 12:00:00.250",
	})
	active, err := s.ActiveJobs(bg)
	ok(err)
	same("active", len(active), 4)
	document, err := s.JobDocument(bg, "open")
	ok(err)
	same("document", document, `{"for":"open"}`)
	for r, want := range map[jobs.Resource]string{
		{Kind: jobs.KindJob, Name: "done"}: "[{job done}]", {Kind: jobs.KindGroup, Name: "some"}: "[{k v some}]",
		{Kind: jobs.KindTemplate, Name: "template"}: "[{a b}]", {Kind: jobs.KindGroup, Name: "gone"}: "[]",
	} {
		tags, err := s.Tags(bg, r)
		ok(err)
		same("tags of "+r.Name, tags, want)
	}
	secret, err := s.Secret(bg, "one")
	ok(err)
	same("secret", fmt.Sprintf("%x", secret), "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
	past, err := s.Execution(bg, "t01", "open", 1)
	ok(err)
	same("attempt", []any{past.Status, past.Reason()}, "[FAILED disk is full]")
	reasons := make(map[string]int64)
	ok(s.engine.View(bg, func(r engine.Reader) error {
		for _, job := range []string{"open", "done"} {
			state, err := r.Job(job)
			if err != nil {
				return err
			}
			counts, err := r.Reasons(engine.EndedQuery{
				Job: state.Job.Seq, Statuses: engine.SetOf(uint8(jobs.Failed), uint8(jobs.Rejected)), Limit: 9,
			})
			if err != nil {
				return err
			}
			for _, c := range counts {
				reasons[c.Reason] += c.Count
			}
		}
		ended, err := r.ListJobs(engine.JobQuery{EndedBefore: time.Date(2026, 3, 1, 12, 2, 0, 0, time.UTC).UnixMilli()}, 0, 9)
		same("ended jobs", len(ended), 2)
		return err
	}))
	same("reasons", slices.Sorted(maps.Keys(reasons)), "[not mine power]")

	service, err := operations.New(operations.Config{Store: s, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}})
	ok(err)
	for now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC); now.Hour() < 11; now = now.Add(time.Minute) { // rollouts continue
		ok(service.Driver().Tick(bg, now))
	}
	for _, id := range []string{"slow", "later"} {
		p, err := s.Progress(bg, id)
		ok(err)
		same(id, []any{p.Done, p.Counts.Total()}, "[true 9]")
	}
	p, err := s.Progress(bg, "open")
	ok(err)
	same("executions in progress after their timeouts", p.Counts[jobs.InProgress], 0)
}

// TestMigrationFourth migrates a store of version 4 to this version, which has sums of reasons. Some builds of version 4 had
// an index of reasons, some did not.
func TestMigrationFourth(t *testing.T) {
	for _, index := range []string{"", "CREATE INDEX executions_reasons ON executions (job, status, reason) WHERE status > 2;"} {
		s := open(t, writeStore(t, version2(t), version(4), script(index)))
		err := s.engine.View(bg, func(r engine.Reader) error {
			counts, err := r.Reasons(engine.EndedQuery{Job: 1, Statuses: engine.SetOf(uint8(jobs.Failed), uint8(jobs.Rejected)), Limit: 9})
			if len(counts) == 0 {
				t.Errorf("no reasons after %q", index)
			}
			return err
		})
		if err != nil {
			t.Errorf("after %q: %v", index, err)
		}
		if r, err := s.engine.Check(bg); err != nil || len(r.Faults) > 0 {
			t.Errorf("after %q: %+v, %v", index, r.Faults, err)
		}
	}
}

// TestMigrationScale migrates the store of version 2, with a million more things and executions, to this version in less than
// two minutes. Writing that store takes a minute: JOBS_SCALE=full go test ./gateway/jobs/sqlite -run MigrationScale -v
func TestMigrationScale(t *testing.T) {
	things := 2000
	if os.Getenv("JOBS_SCALE") == "full" {
		things = 1_000_000
	}
	path := writeStore(t, version2(t), script(fmt.Sprintf(`
		CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 99 + %d) SELECT i FROM n;
		INSERT INTO things (id, name, uuid, type, billing, attributes, version, created)
			SELECT i, printf('thing-%%012d', i), printf('00000000-0000-4000-8000-%%012d', i), '', '', '', 1, 1 FROM n;
		INSERT INTO members SELECT 1, i, 1 FROM n;
		INSERT INTO executions SELECT 1, i, 1, 1 + (i %% 3 = 0), iif(i %% 3 = 0, 3, 0), 0, 0, 0, 1, 0, 1, 0, 0,
			iif(i %% 3 = 0, '{"reason":"power"}', '') FROM n;
		UPDATE jobs SET c0 = (SELECT count(*) FROM executions WHERE job = 1 AND status = 0),
			c3 = (SELECT count(*) FROM executions WHERE job = 1 AND status = 3) WHERE seq = 1`, things)))
	begun := time.Now()
	s := open(t, path)
	t.Logf("%d things: migrated and opened in %v", things, time.Since(begun).Round(time.Millisecond))
	if took := time.Since(begun); took > 2*time.Minute {
		t.Errorf("the migration took %v, want at most 2m", took)
	}
	if list, err := s.Pending(bg, nil, "thing-000000000100"); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	begun = time.Now()
	err := s.engine.View(bg, func(r engine.Reader) error {
		counts, err := r.Reasons(engine.EndedQuery{Job: 1, Statuses: engine.SetOf(uint8(jobs.Failed)), Limit: 9})
		if len(counts) != 1 || counts[0].Reason != "power" || counts[0].Count < int64(things/3) {
			t.Errorf("reasons %+v", counts)
		}
		lines, pageErr := r.Ended(engine.EndedQuery{Job: 1, Statuses: engine.SetOf(uint8(jobs.Failed)), After: 1000, Limit: 250})
		if len(lines) != 250 {
			t.Errorf("%d ended executions in a page, want 250", len(lines))
		}
		return errors.Join(err, pageErr)
	})
	t.Logf("reasons and a page in %v", time.Since(begun).Round(time.Millisecond))
	if err != nil {
		t.Error(err)
	}
}
