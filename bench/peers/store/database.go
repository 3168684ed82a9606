package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/setup"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// pgbenchClients is the number of pgbench's connections.
const pgbenchClients = 16

// databaseSettings are the settings that differ from the defaults.
const databaseSettings = "shared_buffers=1GB max_wal_size=4GB"

// database is the PostgreSQL of the comparison: default settings except for memory and WAL size, with durable commits.
type database struct {
	*pgtest.Server
	url  string
	conn *pgx.Conn // this program's own connection
}

func startDatabase(ctx context.Context, o *setup.Options) (*database, error) {
	server, err := pgtest.Start(o.Folder, false)
	if err != nil {
		return nil, fmt.Errorf("cannot start PostgreSQL (Debian package postgresql): %w", err)
	}
	d := &database{Server: server, url: server.URL("jobgate")}
	d.Stop(syscall.SIGINT)
	d.Settings, d.Core = strings.Fields(databaseSettings), strconv.Itoa(o.ServerCore)
	if err := d.open(ctx); err != nil {
		d.Remove()
		return nil, err
	}
	return d, nil
}

// open starts the server with its settings and creates the database.
func (d *database) open(ctx context.Context) error {
	if err := d.Run(); err != nil {
		return err
	}
	admin, err := pgx.Connect(ctx, d.URL("postgres"))
	if err != nil {
		return err
	}
	_, err = admin.Exec(ctx, "CREATE DATABASE jobgate")
	if err = errors.Join(err, admin.Close(ctx)); err != nil {
		return err
	}
	return d.connect(ctx)
}

func (d *database) connect(ctx context.Context) (err error) {
	d.conn, err = pgx.Connect(ctx, d.url)
	return err
}

// exec runs statements, one after the other.
func (d *database) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if _, err := d.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%w in %s", err, sql)
		}
	}
	return nil
}

// number runs a query that returns one number.
func (d *database) number(ctx context.Context, sql string, args ...any) (n float64, err error) {
	if err = d.conn.QueryRow(ctx, sql, args...).Scan(&n); err != nil {
		err = fmt.Errorf("%w in %s", err, sql)
	}
	return n, err
}

// fill creates a group and n things as its members. name is the group's name and the prefix of the things' names.
func (d *database) fill(ctx context.Context, name string, n int) error {
	format := fmt.Sprintf("FM%0*d", len(strconv.Itoa(n-1)), 0)
	return d.exec(ctx,
		fmt.Sprintf(`INSERT INTO things (name, uuid, type, billing, attributes, version, created, deleted)
			SELECT '%s' || to_char(i, '%s'), gen_random_uuid(), '', '', '', 1, 0, false FROM generate_series(0, %d) i`, name, format, n-1),
		fmt.Sprintf(`INSERT INTO groups (name, uuid, parent, above, description, attributes, version, created, state)
			VALUES ('%s', gen_random_uuid(), 0, '{}', '', '', 1, 0, 0)`, name),
		fmt.Sprintf(`INSERT INTO members (grp, thing, serial) SELECT g.id, t.id, nextval('serials') FROM groups g, things t
			WHERE g.name = '%s' AND t.name LIKE '%s%%' ORDER BY t.id`, name, name),
		"VACUUM ANALYZE things, groups, members")
}

// fail adds a failed execution to the job for each thing of the group. There are 100 different reasons.
func (d *database) fail(ctx context.Context, job, group string) error {
	return d.exec(ctx,
		fmt.Sprintf(`INSERT INTO executions SELECT m.thing, j.seq, 1, 2, 3, false, 0, 0, 1, 1, 1, 0, 0, json_build_object('reason', 'reason ' || m.thing %% 100)
			FROM members m JOIN groups g ON g.id = m.grp AND g.name = '%s', jobs j WHERE j.id = '%s'`, group, job),
		fmt.Sprintf(`INSERT INTO ended (job, status, thing, number, reason) SELECT e.job, 3, e.thing, 1, 'reason ' || e.thing %% 100
			FROM executions e JOIN jobs j ON j.seq = e.job WHERE j.id = '%s' AND e.status = 3`, job),
		fmt.Sprintf(`INSERT INTO counts SELECT seq, 77, 0, 0, 0, (SELECT count(*) FROM executions e WHERE e.job = seq AND e.status = 3), 0, 0, 0, 0
			FROM jobs WHERE id = '%s'`, job),
		fmt.Sprintf(`INSERT INTO reasons (job, status, reason, shard, n) SELECT l.job, l.status, l.reason, 77, count(*)
			FROM ended l JOIN jobs j ON j.seq = l.job WHERE j.id = '%s' AND l.reason <> '' GROUP BY 1, 2, 3`, job),
		"VACUUM ANALYZE executions, ended")
}

// cpu returns the CPU time of the server's processes, including exited ones.
func (d *database) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.PID()))
	if err != nil {
		return 0
	}
	return process.FamilyCPU(d.PID()) + process.CPUFields(text, 13, 14)
}

var (
	pgbenchDone = regexp.MustCompile(`number of transactions actually processed: ([0-9]+)`)
	pgbenchRate = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)
	pgbenchMean = regexp.MustCompile(`latency average = ([0-9.]+) ms`)
)

// pgbench runs a statement repeatedly on executions of one job, for random things from first to last.
func (d *database) pgbench(ctx context.Context, o *setup.Options, sql string, job, first, last int64) (rounds.Turn, error) {
	script := fmt.Sprintf("\\set thing random(%d, %d)\n%s\n", first, last, sql)
	cmd := exec.CommandContext(ctx, "taskset", "-c", strconv.Itoa(o.LoadCore), d.Program("pgbench"), "-n", "-M", "prepared",
		"-c", strconv.Itoa(pgbenchClients), "-j", "1", "-T", fmt.Sprintf("%.0f", o.WrkLength().Seconds()), "-D", fmt.Sprintf("job=%d", job),
		"-h", "127.0.0.1", "-p", strconv.Itoa(d.Port), "-U", "postgres", "-f", "/dev/stdin", "jobgate")
	cmd.Stdin = strings.NewReader(script)
	before := d.cpu()
	text, err := cmd.CombinedOutput()
	if err != nil {
		return rounds.Turn{}, fmt.Errorf("pgbench: %w\n%s", err, text)
	}
	t, err := parsePgbench(text)
	if err == nil {
		t.Server = (d.cpu() - before) / time.Duration(t.Good)
	}
	return t, err
}

func parsePgbench(text []byte) (t rounds.Turn, err error) {
	var fields [3]float64
	for i, pattern := range []*regexp.Regexp{pgbenchDone, pgbenchRate, pgbenchMean} {
		m := pattern.FindSubmatch(text)
		if m == nil {
			return t, fmt.Errorf("unexpected output of pgbench:\n%s", bytes.TrimSpace(text))
		}
		if fields[i], err = strconv.ParseFloat(string(m[1]), 64); err != nil {
			return t, err
		}
	}
	if fields[0] == 0 {
		return t, fmt.Errorf("pgbench ran no transaction:\n%s", bytes.TrimSpace(text))
	}
	return rounds.Turn{Good: int64(fields[0]), Rate: fields[1], P50: time.Duration(fields[2] * 1e6)}, nil
}
