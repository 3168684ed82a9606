package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/postgres/pgtest"

	jobstore "jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

// storeFile creates an SQLite store with a job on 3 things, and returns its path.
func storeFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jobs.db")
	e, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	store := jobstore.Over(e)
	s, err := operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}})
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for i := range 3 {
		name := fmt.Sprint("t", i)
		if _, err := s.CreateThing(context.Background(), time.Now(), jobs.CreateThingRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
		targets = append(targets, s.Names().ThingARN(name))
	}
	if _, err := s.CreateJob(context.Background(), time.Now(), jobs.CreateJobRequest{ID: "j", Document: "{}", Targets: targets}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// want checks the exit status, and that the output contains each of texts.
func (r *result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if r.code != code || !strings.Contains(r.out+r.err, text) {
			t.Errorf("exit %d with %q, want %d with %q", r.code, r.out+r.err, code, text)
		}
	}
}

// TestStoreMoves copies a store from SQLite to PostgreSQL and back.
func TestStoreMoves(t *testing.T) {
	t.Parallel()
	file, url := storeFile(t), pgtest.New(t)
	run := func(args ...string) *result {
		r := jobgate(t, "", nil, append([]string{"store"}, args...)...)
		return &r
	}
	run("check", "--store", file).want(t, 0, "executions 3", "ok")
	run("copy", "--from", file).want(t, 2, "--to")
	run("copy", "--from", file, "--to", url).want(t, 0, "accepts no more changes", "executions 3", "ok")
	run("check", "--store", url).want(t, 0, "executions 3", "ok")
	run("copy", "--from", file, "--to", url).want(t, 1, "not empty")
	back := filepath.Join(t.TempDir(), "back.db")
	run("copy", "--from", url, "--to", back).want(t, 0, "ok")
	info, err := os.Stat(back)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, %v", info.Mode(), err)
	}
	run("migrate", "--store", filepath.Join(t.TempDir(), "none.db")).want(t, 1, "no such file")
}

// TestStoreFlagsAreNamed: an error about a store names the flag or the setting that gave it.
func TestStoreFlagsAreNamed(t *testing.T) {
	file, folder := storeFile(t), t.TempDir()
	const held, there = "postgres://u:secret@localhost/x", "postgres://u@localhost/x"
	none := filepath.Join(folder, "none")
	yaml := gatetest.WriteFile(t, folder, "jobgate.yaml", "jobs: {enabled: true, store: "+there+", store_password_file: "+none+"}\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"copy", "--from", held, "--to", file}, "a password in --from: it would show in logs and process lists; see --from-password-file"},
		{[]string{"copy", "--from", file, "--to", held}, "a password in --to: it would show in logs and process lists; see --to-password-file"},
		{[]string{"copy", "--from", there, "--from-password-file", none, "--to", file}, "cannot read --from-password-file"},
		{[]string{"copy", "--from", file, "--to", there, "--to-password-file", none}, "cannot read --to-password-file"},
		{[]string{"copy", "--from", "postgres://%zz", "--to", file}, "cannot parse --from"},
		{[]string{"check", "--store", held}, "a password in --store: it would show in logs and process lists; see --password-file"},
		{[]string{"migrate", "--store", there, "--password-file", none}, "cannot read --password-file"},
		{[]string{"unfence", "--config", yaml}, "cannot read jobs.store_password_file"},
		{[]string{"unfence", "--config", yaml, "--password-file", none}, "cannot read --password-file"},
	} {
		r := jobgate(t, "", nil, append([]string{"store"}, c.args...)...)
		r.want(t, 1, c.want)
		if strings.Contains(r.err, "secret") || strings.Contains(r.err, "jobs.store") != strings.Contains(c.want, "jobs.store") {
			t.Errorf("%q: %s", c.args, r.err)
		}
	}
}

// TestStoreMoved: no gateway opens a store that was moved, until it is unfenced.
func TestStoreMoved(t *testing.T) {
	t.Parallel()
	file := storeFile(t)
	back := filepath.Join(t.TempDir(), "back.db")
	r := jobgate(t, "", nil, "store", "copy", "--from", file, "--to", back)
	r.want(t, 0, "ok")
	yaml := gatetest.WriteFile(t, t.TempDir(), "jobgate.yaml", "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ncontrol: 127.0.0.1:0\njobs: {enabled: true, store: "+file+"}\n")
	r = jobgate(t, "", nil, "serve", "--config", yaml)
	r.want(t, 1, "was moved by jobgate store copy")
	r = jobgate(t, "", nil, "store", "unfence", "--store", file)
	r.want(t, 0, "")
	d := startDaemon(t, nil, "serve", "--config", yaml)
	d.Address("admin")
	r = jobgate(t, "", nil, "store", "copy", "--from", file, "--to", filepath.Join(t.TempDir(), "x.db"))
	r.want(t, 1, "stop the gateway that has it open")
	copied := filepath.Join(t.TempDir(), "backup.db")
	r = jobgate(t, "", nil, "store", "backup", "--store", file, copied)
	r.want(t, 0, "ok")
	r = jobgate(t, "", nil, "store", "check", "--store", copied)
	r.want(t, 0, "executions 3", "ok")
	info, err := os.Stat(copied)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v", info.Mode())
	}
	r = jobgate(t, "", nil, "store", "backup", "--config", yaml, copied)
	r.want(t, 1, "exists already")
	r = jobgate(t, "", nil, "store", "backup", "--store", file, "-")
	if r.code != 0 {
		t.Fatalf("backup to standard output: exit status %d: %s", r.code, r.err)
	}
	streamed := filepath.Join(t.TempDir(), "streamed.db")
	if err := os.WriteFile(streamed, []byte(r.out), 0o600); err != nil {
		t.Fatal(err)
	}
	r = jobgate(t, "", nil, "store", "check", "--store", streamed)
	r.want(t, 0, "executions 3", "ok")
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), "backup-*")); err != nil || len(left) > 0 {
		t.Errorf("the backup left %v, %v", left, err)
	}
	r = jobgate(t, "", nil, "store", "check", "--store", file)
	r.want(t, 0, "ok")
}
