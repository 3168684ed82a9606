package fleet_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/servertest"
)

// failedStart runs a gateway that cannot start, and returns its output.
func failedStart(t *testing.T, jobs string, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	file := gatetest.WriteFile(t, folder, "jobgate.yaml", "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ncontrol: 127.0.0.1:0\njobs: {enabled: true, "+jobs+"}\n")
	p := gatetest.Start(t, gatetest.Command(binary, folder, nil, append([]string{"serve", "--config", file}, args...)...))
	defer time.AfterFunc(20*time.Second+grace, func() { _ = p.Cmd.Process.Kill() }).Stop()
	if code := p.Wait(); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	return p.Out.String() + p.Log.String()
}

// TestBadInput configures stores that a gateway cannot use. Each error must say what is wrong and what to do, and none may
// contain a password.
func TestBadInput(t *testing.T) {
	server, url := startServer(t)
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.Background()) }()
	execute := func(statements ...string) {
		t.Helper()
		for _, sql := range statements {
			if _, err := admin.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	const password = "the-secret-of-the-test"
	hba := filepath.Join(server.Folder, "pg_hba.conf")
	text, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hba, []byte("host all locked 127.0.0.1/32 scram-sha-256\n"+string(text)), 0o600); err != nil {
		t.Fatal(err)
	}
	execute("SELECT pg_reload_conf()", "CREATE ROLE locked LOGIN PASSWORD '"+password+"'", "CREATE ROLE weak LOGIN")
	other := server.Database(t, "other")
	newer := server.Database(t, "newer")
	weak := strings.Replace(server.Database(t, "weak"), "postgres@", "weak@", 1)
	inOther, err := pgx.Connect(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inOther.Exec(t.Context(), "CREATE TABLE theirs (a int)"); err != nil {
		t.Fatal(err)
	}
	_ = inOther.Close(t.Context())
	e, err := postgres.Open(t.Context(), postgres.Options{URL: newer})
	if err != nil {
		t.Fatal(err)
	}
	_ = e.Close()
	inNewer, err := pgx.Connect(t.Context(), newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inNewer.Exec(t.Context(), "UPDATE jobgate_schema SET version = 1000, min_program = 999"); err != nil {
		t.Fatal(err)
	}
	_ = inNewer.Close(t.Context())
	standby, err := server.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Remove)
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte(password+"x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := servertest.FreeAddress(t)
	for name, c := range map[string]struct {
		jobs string
		args []string
		want []string
	}{
		"unreachable": {jobs: `store: "postgres://u@` + closed + `/d"`, want: []string{closed, "refused"}},
		"wrong password": {
			jobs: fmt.Sprintf(`store: "postgres://locked@%s/jobgate", store_password_file: %s`, server.Address(), wrong),
			want: []string{"password authentication failed", "jobs.store_password_file"},
		},
		"no password file": {
			jobs: fmt.Sprintf(`store: "postgres://locked@%s/jobgate", store_password_file: %s`, server.Address(), wrong+"er"),
			want: []string{"jobs.store_password_file", "no such file"},
		},
		"wrong database":       {jobs: `store: "` + strings.Replace(url, "/jobgate", "/none", 1) + `"`, want: []string{"none", "does not exist", "createdb"}},
		"no rights":            {jobs: `store: "` + weak + `"`, want: []string{"permission denied", "must own the schema"}},
		"newer schema":         {jobs: `store: "` + newer + `"`, want: []string{"version 999 and newer", "newer version"}},
		"another program's":    {jobs: `store: "` + other + `"`, want: []string{"another program", "search_path"}},
		"standby":              {jobs: `store: "` + strings.Replace(url, server.Address(), standby.Address(), 1) + `"`, want: []string{"standby", "target_session_attrs=read-write"}},
		"password":             {jobs: `store: "postgres://u:` + password + `@h/d"`, want: []string{"holds a password", "jobs.store_password_file"}},
		"password as argument": {jobs: `store: "postgres://u@h/d?password=` + password + `"`, want: []string{"holds a password", "jobs.store_password_file"}},
		"no migration":         {jobs: `store: "` + url + `"`, args: []string{"--no-migrate"}, want: []string{"jobgate store migrate", "--no-migrate"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output := failedStart(t, c.jobs, c.args...)
			for _, want := range c.want {
				if !strings.Contains(output, want) {
					t.Errorf("the output does not contain %q:\n%s", want, output)
				}
			}
			if strings.Contains(output, password) || strings.Contains(output, "goroutine") {
				t.Errorf("the output contains the password or a stack trace:\n%s", output)
			}
		})
	}
}

// TestRollingReplacement expands the schema under running gateways as the next release might: columns with a default, a
// table, a higher version. The gateways must keep working, and another gateway of this program must start on the schema.
func TestRollingReplacement(t *testing.T) {
	_, url := startServer(t)
	f := newFleet(t, 2, url, url)
	l := f.load("rolling", 4, 4)
	l.awaitReport(10 * time.Second)
	next, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = next.Close(context.Background()) }()
	for _, sql := range []string{
		"ALTER TABLE executions ADD COLUMN later text NOT NULL DEFAULT ''", "ALTER TABLE attempts ADD COLUMN later text NOT NULL DEFAULT ''",
		"ALTER TABLE things ADD COLUMN later bigint NOT NULL DEFAULT 0", "ALTER TABLE groups ADD COLUMN later bigint NOT NULL DEFAULT 0",
		"ALTER TABLE jobs ADD COLUMN later bigint NOT NULL DEFAULT 0", "ALTER TABLE progress ADD COLUMN later bigint NOT NULL DEFAULT 0",
		"ALTER TABLE counts ADD COLUMN later bigint NOT NULL DEFAULT 0", "ALTER TABLE timers ADD COLUMN later bigint NOT NULL DEFAULT 0",
		"ALTER TABLE ended ADD COLUMN later text NOT NULL DEFAULT ''", "ALTER TABLE feed ADD COLUMN later text NOT NULL DEFAULT ''",
		"CREATE TABLE new_things (a int)",
		"UPDATE jobgate_schema SET version = version + 1",
	} {
		if _, err := next.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	l.awaitReport(5 * time.Second)
	f.gateways[0].end(syscall.SIGTERM)
	f.gateways[0].start()
	l.awaitReport(5 * time.Second)
	l.verify()
	again := f.load("again", 2, 2) // a job that is created on the expanded schema
	again.awaitReport(10 * time.Second)
	again.verify()
}
