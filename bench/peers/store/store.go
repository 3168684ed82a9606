// Package store compares gateways on PostgreSQL with pgbench and with SQLite.
package store

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/jobs"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

const (
	groupFailed = "failed-" // has one thing; its job gets failed executions of all things
	jobFailed   = "job-failed"
	manyCallers = 512 // at saturation
	fewCallers  = 16
	fleetGates  = 3

	storeTurns = 3 * 5           // per round: calls × contestants
	storeLimit = 7 * time.Minute // for the rest: a million things, their job, the copy, the failures
)

// storeRun is a comparison in progress.
type storeRun struct {
	*setup.Options
	sts    string // URL
	db     *database
	gate   *gate.Gate   // on PostgreSQL
	others []*gate.Gate // further gateways on PostgreSQL
	file   *gate.Gate   // on SQLite
	job    int64        // row id of gate.JobFleet
	first  int64        // row id of the first of its things
	spent  int          // things whose executions have ended
	facts  *table.Table
	config server.Settings
}

// Compare compares gateways on PostgreSQL with pgbench on the same server, and with SQLite. The server has its own core;
// gateways, devices and pgbench share the other.
//
//	things by SQL ─▶ CreateJob, rollout ─▶ sizes ─▶ reads, updates in turns ─▶ failures
//	                  devices meanwhile             pgbench | 1, 3 gateways | SQLite          both
func Compare(ctx context.Context, o *setup.Options) (err error) {
	limit := storeLimit + time.Duration(o.Rounds*storeTurns)*(o.WrkLength()+2*time.Second)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("not done after %s: %w", limit, err)
		}
	}()
	sts := httptest.NewServer(http.HandlerFunc(account.AssumeRole))
	defer sts.Close()
	r := &storeRun{Options: o, sts: sts.URL, facts: table.New("<", "", "<goal")}
	if r.db, err = startDatabase(ctx, o); err != nil {
		return err
	}
	defer r.db.Remove()
	r.config = server.Settings{Store: r.db.url, Client: true}
	if r.gate, err = gate.Start(ctx, o, r.config, r.sts); err != nil {
		return err
	}
	defer func() { r.gate.Stop() }()
	fmt.Printf("## Jobs on PostgreSQL, %s things\n\n%s on core %d, `%s`, the rest stock, data on %s; gateways, devices and pgbench (%d clients, prepared) on core %d.\n\n",
		table.Thousands(float64(o.Things)), setup.Output(r.db.Program("postgres"), "--version"), o.ServerCore, databaseSettings, jobs.FileSystem(o.Folder), pgbenchClients, o.LoadCore)
	for _, step := range []func(context.Context) error{r.rollOut, r.measureSizes, r.startFile, r.compareReads, r.compareUpdates, r.measureFailures} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Print(r.facts)
	return nil
}

// rollOut registers the things and measures devices' latency while their job is queued.
func (r *storeRun) rollOut(ctx context.Context) error {
	for name, n := range map[string]int{gate.GroupFleet: r.Things, groupFailed: 1} {
		if err := r.db.fill(ctx, name, n); err != nil {
			return err
		}
	}
	var returned, all time.Duration
	polling, stop := context.WithCancel(ctx)
	defer stop()
	polled := make(chan error, 1)
	var p99 string
	go func() {
		result, err := load.BenchUntil(polling, r.Options, "--rate", fmt.Sprintf("%d/s", gate.ReadRate), "--things", strconv.Itoa(r.Things),
			"--thing-prefix", gate.GroupFleet, "--connections", "32", "--warmup", "500ms", "--duration", gate.RolloutLimit.String(),
			process.URL(r.gate.Port, "/things/{thingName}/jobs/$next"))
		if err == nil {
			p99 = load.Percentiles(result)
		}
		polled <- err
	}()
	if err := process.Sleep(ctx, time.Second); err != nil { // for the warm-up
		return err
	}
	begun := time.Now()
	returned, err := r.gate.CreateTimed(ctx, gate.JobFleet, gate.GroupFleet)
	if err == nil {
		err = r.gate.Queued(ctx, gate.JobFleet, r.Things)
		all = time.Since(begun)
	}
	stop()
	if polls := <-polled; err == nil {
		err = polls
	}
	if err != nil {
		return err
	}
	r.facts.Add("CreateJob returned after", table.ShortDuration(float64(returned)), "< 1 s")
	r.facts.Add("all are queued after", fmt.Sprintf("%.2f s", all.Seconds()), "≤ 60 s")
	r.facts.Add(fmt.Sprintf("`$next`, %d/s, meanwhile: p50, p99", gate.ReadRate), p99, "≤ 50 ms")
	return r.db.conn.QueryRow(ctx, `SELECT j.seq, min(e.thing) FROM jobs j JOIN executions e ON e.job = j.seq WHERE j.id = $1 GROUP BY j.seq`, gate.JobFleet).
		Scan(&r.job, &r.first)
}

// measureSizes measures the disk space of things and executions, with their indexes.
func (r *storeRun) measureSizes(ctx context.Context) error {
	if err := r.db.exec(ctx, "VACUUM ANALYZE"); err != nil {
		return err
	}
	for _, name := range []string{"things", "members", "executions"} {
		size, err := r.db.number(ctx, "SELECT pg_total_relation_size($1::text::regclass)", name)
		if err != nil {
			return err
		}
		r.facts.Add("bytes a row of "+name+", with indexes", fmt.Sprintf("%.0f B", size/float64(r.Things)), "")
	}
	return nil
}

// startFile starts a gateway on a copy of the store in SQLite.
func (r *storeRun) startFile(ctx context.Context) error {
	took, err := r.copyToFile(ctx, "copy.db")
	r.facts.Add("`store copy` to SQLite", fmt.Sprintf("%.1f s", took.Seconds()), "")
	return err
}

// copyToFile copies the current store to SQLite and starts a gateway on the copy, in place of the previous one.
func (r *storeRun) copyToFile(ctx context.Context, name string) (took time.Duration, err error) {
	if r.file != nil {
		r.file.Stop()
	}
	path := filepath.Join(r.Folder, name)
	begun := time.Now()
	for _, args := range [][]string{{"copy", "--from", r.db.url, "--to", path}, {"unfence", "--store", r.db.url}} {
		if text, err := exec.CommandContext(ctx, r.Jobgate, append([]string{"store"}, args...)...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("jobgate store %s: %w\n%s", args[0], err, text)
		}
	}
	took = time.Since(begun)
	if err := r.db.connect(ctx); err != nil { // fencing closed the connection
		return took, err
	}
	r.file, err = gate.Start(ctx, r.Options, server.Settings{Store: path, Client: true}, r.sts)
	return took, err
}

// measureFailures gives a job as many failures as there are things, and lists them in pages.
func (r *storeRun) measureFailures(ctx context.Context) error {
	if _, err := r.gate.CreateTimed(ctx, jobFailed, groupFailed); err != nil {
		return err
	}
	if err := r.gate.Queued(ctx, jobFailed, 1); err != nil {
		return err
	}
	if err := r.db.fail(ctx, jobFailed, gate.GroupFleet); err != nil {
		return err
	}
	if err := r.askForFailures(ctx, r.gate, ""); err != nil {
		return err
	}
	if _, err := r.copyToFile(ctx, "failures.db"); err != nil {
		return err
	}
	return r.askForFailures(ctx, r.file, "SQLite: ")
}

func (r *storeRun) askForFailures(ctx context.Context, g *gate.Gate, where string) error {
	for _, page := range []struct{ title, path string }{
		{"a page of 250 of all executions", "/jobs/" + jobFailed + "/things?maxResults=250"},
		{"a page of 250 failed executions", "/jobs/" + jobFailed + "/things?maxResults=250&status=FAILED"},
		{"a page of 250 failures of one reason in a hundred", "/-/jobs/" + jobFailed + "/failures?maxResults=250&reason=reason%207"},
		{"a page of 250 failures, with all reasons and their counts", "/-/jobs/" + jobFailed + "/failures?maxResults=250"},
	} {
		took, err := g.Timed(ctx, page.path, 5)
		if err != nil {
			return err
		}
		r.facts.Add(where+page.title+", slowest of 5", table.ShortDuration(float64(took)), "≤ 100 ms")
	}
	return nil
}
