package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"jobgate/bench/report"
)

// The jobs of the comparison, and the document of the one that does not sign.
const (
	jobFleet      = "job-fleet"
	jobSigned     = "job-signed"
	plainDocument = `{"operation":"configure","version":"v7","settings":{"interval":60,"threshold":21.5,"channel":"stable","servers":["a.example.com","b.example.com"]}}`
)

const (
	readRate      = 1000             // of devices that poll while a job is queued, a second
	updateRate    = 100              // of devices that report meanwhile, a second
	rolloutLimit  = 10 * time.Minute // ends a rollout that does not
	updateClients = 256              // connections that report in a closed loop
	scriptNames   = 100_000          // requests that a script makes beforehand
)

// jobsRun is the comparison under way.
type jobsRun struct {
	*options
	gate  *jobsGate
	small int   // things in each of the small groups
	empty int64 // live heap of a gateway without things, in bytes
	facts *table
}

// compareJobs measures the IoT Jobs service: a job on a group of many things, and what devices ask of it.
//
//	fill the store ─▶ start jobgate ─▶ CreateJob, rollout ─▶ heap ─▶ reads in turns ─▶ updates
//	 (in this process)                  devices meanwhile            beside fasthttp
func compareJobs(ctx context.Context, o *options) error {
	sts := httptest.NewServer(http.HandlerFunc(assumeRole))
	defer sts.Close()
	r := &jobsRun{options: o, small: max(1, min(someThings, o.things/20))}
	if err := r.measureEmpty(ctx, sts.URL); err != nil {
		return err
	}
	store := filepath.Join(o.folder, "jobs.db")
	begun := time.Now()
	sizes := map[string]int{groupFleet: o.things, groupSigned: r.small, groupIdle: r.small}
	if err := fillStore(ctx, store, sizes); err != nil {
		return err
	}
	o.progress("%d things registered in %s", o.things+2*r.small, time.Since(begun).Round(time.Millisecond))
	gate, err := startJobsGate(ctx, o, store, sts.URL)
	if err != nil {
		return err
	}
	r.gate = gate
	defer gate.stop()
	fmt.Printf("## The IoT Jobs service, %s things\n\nGateway on core %d, devices on core %d; `auth: none`, the store on %s.\n\n",
		thousands(float64(o.things)), o.serverCore, o.loadCore, fileSystem(o.folder))
	r.facts = newTable("<", "", "<goal")
	for _, step := range []func(context.Context) error{r.rollOut, r.measureHeap, r.compareReads, r.compareUpdates} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fileSystem says on what a folder is: a sync costs what it costs there.
func fileSystem(folder string) string {
	return output("stat", "-f", "-c", "%T", folder)
}

// measureEmpty takes the heap of a gateway without things.
func (r *jobsRun) measureEmpty(ctx context.Context, sts string) error {
	g, err := startJobsGate(ctx, r.options, filepath.Join(r.folder, "empty.db"), sts)
	if err != nil {
		return err
	}
	defer g.stop()
	r.empty, err = g.heap(ctx)
	return err
}

// rollOut creates the jobs, and watches what devices notice while the large one is queued.
func (r *jobsRun) rollOut(ctx context.Context) error {
	document, err := os.ReadFile(filepath.Join(r.folder, "document.json"))
	if err != nil {
		return err
	}
	if _, err := r.gate.createJob(ctx, jobSigned, groupSigned, string(document)); err != nil {
		return err
	}
	if err := r.gate.queued(ctx, jobSigned, r.small); err != nil {
		return err
	}
	idle, err := r.devices(ctx, func(ctx context.Context) error { return sleep(ctx, r.length) })
	if err != nil {
		return err
	}
	var returned, all time.Duration
	busy, err := r.devices(ctx, func(ctx context.Context) error {
		begun := time.Now()
		var err error
		if returned, err = r.gate.createJob(ctx, jobFleet, groupFleet, plainDocument); err != nil {
			return err
		}
		err = r.gate.queued(ctx, jobFleet, r.things)
		all = time.Since(begun)
		return err
	})
	if err != nil {
		return err
	}
	t := r.facts
	t.add("CreateJob returned after", shortDuration(float64(returned)), "≤ 1 s")
	t.add("all are queued after", fmt.Sprintf("%.2f s", all.Seconds()), "≤ 60 s")
	for i, name := range []string{fmt.Sprintf("`$next`, %d/s", readRate), fmt.Sprintf("UpdateJobExecution, %d/s", updateRate)} {
		goal := ""
		if i == 0 {
			goal = "≤ 10 × idle"
		}
		t.add(name+": p50, p99 idle", percentiles(idle[i]), "")
		t.add(name+": p50, p99 while it is queued", percentiles(busy[i]), goal)
	}
	return nil
}

func percentiles(r *report.Result) string {
	text := shortDuration(float64(r.Latency.Percentile(50))) + ", " + shortDuration(float64(r.Latency.Percentile(99)))
	if r.Generator.Limited != "" {
		text += " (the generator's own delay shows)"
	}
	if r.Counts.Failed > 0 {
		text += fmt.Sprintf(" (%d failed)", r.Counts.Failed)
	}
	return text
}

// devices lets devices poll and report, in open loops, from shortly before work begins until it ends.
func (r *jobsRun) devices(ctx context.Context, work func(context.Context) error) (all [2]*report.Result, err error) {
	g, ctx := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(ctx)
	defer stop()
	loads := [2][]string{
		{"--rate", fmt.Sprintf("%d/s", readRate), "--things", strconv.Itoa(r.things), "--thing-prefix", groupFleet, r.path("$next")},
		{
			"--rate", fmt.Sprintf("%d/s", updateRate), "--things", strconv.Itoa(r.small), "--thing-prefix", groupSigned,
			"--method", "POST", "--body", updateBody, r.path(jobSigned),
		},
	}
	for i, args := range loads {
		g.Go(func() (err error) {
			args = append([]string{"--connections", "32", "--warmup", "500ms", "--duration", rolloutLimit.String()}, args...)
			all[i], err = benchUntil(running, r.options, args...)
			return err
		})
	}
	g.Go(func() error {
		defer stop()
		if err := sleep(ctx, time.Second); err != nil { // the warm-up, and the start of the generators
			return err
		}
		return work(ctx)
	})
	return all, g.Wait()
}

// path is a device's URL for a job, as jobgate bench takes it.
func (r *jobsRun) path(job string) string { return local(r.gate.port, "/things/{thingName}/jobs/"+job) }

// measureHeap takes the heap with all things, each of which has its job.
func (r *jobsRun) measureHeap(ctx context.Context) error {
	full, err := r.gate.heap(ctx)
	if err != nil {
		return err
	}
	each := float64(full-r.empty) / float64(r.things+r.small) // those of the idle group are in the heap all the same
	r.facts.add("live heap a thing, beyond an empty gateway", fmt.Sprintf("%.0f B", each), "≤ 256 B")
	r.facts.add("live heap: empty, with all things", fmt.Sprintf("%.1f MB, %.1f MB", megabytes(r.empty), megabytes(full)), "")
	r.facts.add("resident", fmt.Sprintf("%.1f MB", megabytes(r.gate.rss())), "")
	fmt.Print(r.facts)
	return nil
}

// compareReads compares what devices read with a bare server that writes as many bytes.
func (r *jobsRun) compareReads(ctx context.Context) error {
	for _, c := range []struct{ title, group, job, query, goal string }{
		{"DescribeJobExecution with document", groupFleet, jobFleet, "?includeJobDocument=true", "≥ 0.75"},
		{"DescribeJobExecution with document and a signed URL", groupSigned, jobSigned, "?includeJobDocument=true", "≥ 0.75"},
		{"`$next`, the pending job with its document", groupFleet, "$next", "?includeJobDocument=true", ""},
		{"`$next`, nothing is pending", groupIdle, "$next", "", "≥ 0.85"},
	} {
		n := r.small
		if c.group == groupFleet {
			n = r.things
		}
		script := deviceScript(c.group, n, "/jobs/"+c.job+c.query, "GET", "")
		if err := r.besideBare(ctx, c.title, c.goal, script, "/things/"+thingName(c.group, n, 0)+"/jobs/"+c.job+c.query); err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
	}
	return nil
}

// besideBare lets jobgate and a bare server with the answer of path take turns at a script.
func (r *jobsRun) besideBare(ctx context.Context, title, goal, script, path string) error {
	answer, err := r.gate.answer(ctx, local(r.gate.port, path))
	if err != nil {
		return err
	}
	if strings.Contains(string(answer), "${aws:iot:") {
		return fmt.Errorf("jobgate's answer is not filled: %d bytes", len(answer))
	}
	if err := os.WriteFile(r.static(bareFile), answer, 0o600); err != nil {
		return err
	}
	bare, port, err := startPeer(r.options, r.serverCore, peerFasthttp)
	if err != nil {
		return err
	}
	defer bare.stop()
	if _, err := bare.answer(ctx, local(port, path)); err != nil {
		return err
	}
	at := func(port int) func(context.Context) (turn, error) {
		return func(ctx context.Context) (turn, error) { return wrk(ctx, r.options, local(port, ""), script) }
	}
	all := []*contestant{
		{name: fmt.Sprintf("fasthttp, the same %d bytes", len(answer)), reference: true, run: at(port)},
		{name: "jobgate", goal: goal, run: at(r.gate.port)},
	}
	if err := takeTurns(ctx, r.options, all); err != nil {
		return err
	}
	printTurns(title, all)
	return nil
}

// compareUpdates measures how many reports a second are on disk when they are answered.
func (r *jobsRun) compareUpdates(ctx context.Context) error {
	many := *r.options
	many.connections = updateClients
	script := deviceScript(groupFleet, r.things, "/jobs/"+jobFleet, "POST", updateBody)
	c := &contestant{name: "jobgate", reference: true, goal: "≥ 10,000/s, p99 ≤ 100 ms", run: func(ctx context.Context) (turn, error) {
		return wrk(ctx, &many, local(r.gate.port, ""), script)
	}}
	if err := takeTurns(ctx, r.options, []*contestant{c}); err != nil {
		return err
	}
	mid, high, err := syncTime(r.static("sync"))
	if err != nil {
		return err
	}
	printTurns(fmt.Sprintf("UpdateJobExecution, on disk when answered, %d connections", updateClients), []*contestant{c})
	fmt.Printf("To write 4 KB at a file's end and sync it takes this disk %s (p99 %s); one sync is for all updates that wait.\n\n",
		shortDuration(float64(mid)), shortDuration(float64(high)))
	return nil
}
