package fleet_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
)

// root is the top of the repository.
const root = "../../.."

// previousProgram builds the last version of the program before the newest migration, from the repository's history.
func previousProgram(t *testing.T) string {
	t.Helper()
	program, err := buildPrevious(t.Context(), t.TempDir())
	if err != nil {
		servertest.Missing(t, "no previous program (needs git and a clone with its history): %v", err)
	}
	return program
}

func buildPrevious(ctx context.Context, folder string) (program string, err error) {
	command := func(name string, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		var out, problem bytes.Buffer
		cmd.Dir, cmd.Stdout, cmd.Stderr = root, &out, &problem
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &problem)
		}
		return strings.TrimSpace(out.String()), nil
	}
	scripts, err := filepath.Glob(filepath.Join(root, "gateway/jobs/postgres/schema/*.sql"))
	if err != nil || len(scripts) == 0 {
		return "", fmt.Errorf("no migrations: %w", err)
	}
	newest, err := filepath.Rel(root, scripts[len(scripts)-1])
	if err != nil {
		return "", err
	}
	added, err := command("git", "log", "-1", "--diff-filter=A", "--format=%H", "--", newest)
	if err != nil {
		return "", err
	}
	before := "HEAD" // the migration is not committed yet
	if added != "" {
		before = added + "^"
	}
	archive := filepath.Join(folder, "previous.tar")
	if _, err := command("git", "archive", "-o", archive, before); err != nil {
		return "", err
	}
	if _, err := command("tar", "-xf", archive, "-C", folder); err != nil {
		return "", err
	}
	return gatetest.Build(folder, "-trimpath") // keeps the folder's name out of the binary
}

// TestPreviousProgram replaces gateways one by one under load. The previous program has created the database, this one
// migrates it. Both run side by side, and the previous program starts on the migrated schema.
func TestPreviousProgram(t *testing.T) {
	_, url := startServer(t)
	earlier := &fleet{T: t, url: url, program: previousProgram(t)}
	old := earlier.add("", nil)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	version := func() (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT version FROM jobgate_schema").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	created := version()
	f := newFleet(t, 1, url, url) // migrates while the old one runs
	if now := version(); now != created+1 {
		t.Fatalf("the schema went from version %d to %d, want %d", created, now, created+1)
	}
	f.gateways = append(f.gateways, old)
	l := f.load("rolling", 4, 4)
	for _, targets := range [][]*gateway{{f.gateways[0]}, {old}, {f.gateways[0], old}} {
		f.sendTo(targets...)
		l.awaitReport(10 * time.Second)
	}
	f.gateways[0].end(syscall.SIGTERM) // the old one must do the background work
	f.sendTo(old)
	f.holder(10*time.Second, old)
	l.awaitReport(5 * time.Second)
	old.end(syscall.SIGTERM)
	old.start()
	l.awaitReport(5 * time.Second)
	f.gateways[0].start()
	f.sendTo(f.gateways[0], old)
	l.verify()

	old.end(syscall.SIGTERM)
	old.program = binary
	old.start()
	again := f.load("again", 2, 2)
	again.awaitReport(10 * time.Second)
	again.verify()
}
