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
	store string // the database
	sts   string // URL
	small int    // things in each of the small groups
	empty int64  // live heap of a gateway without things, in bytes
	facts *table

	answers map[string][]byte // by path after the thing's name: what jobgate answers, to be answered by a bare server
}

func newJobsRun(o *options, store, sts string) *jobsRun {
	return &jobsRun{options: o, store: store, sts: sts, small: o.groupSizes()[groupIdle], answers: make(map[string][]byte)}
}

// start starts the gateway on the store. mode is auth.mode, "" for none.
func (r *jobsRun) start(ctx context.Context, mode string) (err error) {
	r.gate, err = startJobsGate(ctx, r.options, settings{Store: r.store, Auth: mode, TLS: mode == "mtls"}, r.sts)
	return err
}

// createSigned creates the job whose document holds a signed URL, and waits until it is queued.
func (r *jobsRun) createSigned(ctx context.Context) error {
	document, err := os.ReadFile(filepath.Join(r.folder, "document.json"))
	if err != nil {
		return err
	}
	if _, err := r.gate.createJob(ctx, jobSigned, groupSigned, string(document)); err != nil {
		return err
	}
	return r.gate.queued(ctx, jobSigned, r.small)
}

// compareJobs measures the IoT Jobs service: a job on a group of many things, and what devices ask of it.
//
//	fill the store ─▶ start jobgate ─▶ CreateJob, rollout ─▶ heap ─▶ reads in turns ─▶ updates ─▶ the same with SigV4, mTLS
//	                                    devices meanwhile            beside fasthttp
func compareJobs(ctx context.Context, o *options) error {
	sts := httptest.NewServer(http.HandlerFunc(assumeRole))
	defer sts.Close()
	r := newJobsRun(o, filepath.Join(o.folder, "jobs.db"), sts.URL)
	if err := r.measureEmpty(ctx); err != nil {
		return err
	}
	if err := makeStore(ctx, o, r.store, r.sts); err != nil {
		return err
	}
	if err := r.start(ctx, ""); err != nil {
		return err
	}
	defer func() { r.gate.stop() }()
	fmt.Printf("## The IoT Jobs service, %s things\n\nGateway on core %d, devices on core %d; `auth: none`, the store on %s.\n\n",
		thousands(float64(o.things)), o.serverCore, o.loadCore, fileSystem(o.folder))
	r.facts = newTable("<", "", "<goal")
	for _, step := range []func(context.Context) error{r.rollOut, r.measureHeap, r.compareReads, r.compareUpdates, r.compareIdentities} {
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
func (r *jobsRun) measureEmpty(ctx context.Context) error {
	g, err := startJobsGate(ctx, r.options, settings{Store: filepath.Join(r.folder, "empty.db")}, r.sts)
	if err != nil {
		return err
	}
	defer g.stop()
	r.empty, err = g.heap(ctx)
	return err
}

// rollOut creates the jobs, and watches what devices notice while the large one is queued.
func (r *jobsRun) rollOut(ctx context.Context) error {
	if err := r.createSigned(ctx); err != nil {
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

// deviceCall is something that devices ask for.
type deviceCall struct {
	title, group string
	method, path string // path after the thing's name
	body         string // of a change, which is on disk when it is answered
	goal         string
}

// What devices ask for.
var (
	describeCall = deviceCall{"DescribeJobExecution with document", groupFleet, http.MethodGet, "/jobs/" + jobFleet, "", "≥ 0.75"}
	signedCall   = deviceCall{"DescribeJobExecution with document and a signed URL", groupSigned, http.MethodGet, "/jobs/" + jobSigned, "", "≥ 0.75"}
	nextCall     = deviceCall{"`$next`, the pending job with its document", groupFleet, http.MethodGet, "/jobs/$next", "", ""}
	nothingCall  = deviceCall{"`$next`, nothing is pending", groupIdle, http.MethodGet, "/jobs/$next", "", "≥ 0.85"}
	updateCall   = deviceCall{"UpdateJobExecution, on disk when answered", groupFleet, http.MethodPost, "/jobs/" + jobFleet, updateBody, "≥ 10,000/s, p99 ≤ 100 ms"}
)

// connections is how many devices ask at once.
func (r *jobsRun) connections(c deviceCall) int {
	if c.body != "" {
		return updateClients
	}
	return r.options.connections
}

// members is how many things the group of a call has.
func (r *jobsRun) members(c deviceCall) int {
	if c.group == groupFleet {
		return r.things
	}
	return r.small
}

// compareReads compares what devices read with a bare server that writes as many bytes.
func (r *jobsRun) compareReads(ctx context.Context) error {
	for _, c := range []deviceCall{describeCall, signedCall, nextCall, nothingCall} {
		answer, err := r.gate.answer(ctx, local(r.gate.port, "/things/"+thingName(c.group, r.members(c), 0)+c.path))
		if err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
		if strings.Contains(string(answer), "${aws:iot:") {
			return fmt.Errorf("%s: jobgate's answer is not filled: %d bytes", c.title, len(answer))
		}
		r.answers[c.title] = answer
		if err := r.beside(ctx, c, identity{bare: peerFasthttp, load: r.plainLoad}); err != nil {
			return err
		}
	}
	return nil
}

// beside lets jobgate and, unless something has to be on disk, a bare server with the same answer take turns.
func (r *jobsRun) beside(ctx context.Context, c deviceCall, i identity) error {
	turns := func(name string, p *process, port int) *contestant {
		return &contestant{name: name, server: p, run: func(ctx context.Context) (turn, error) { return i.load(ctx, c, port) }}
	}
	var all []*contestant
	if c.body == "" {
		answer := r.answers[c.title]
		if err := os.WriteFile(r.static(bareFile), answer, 0o600); err != nil {
			return err
		}
		bare, port, err := startPeer(r.options, r.serverCore, i.bare)
		if err != nil {
			return err
		}
		defer bare.stop()
		if err := listens(ctx, port); err != nil {
			return err
		}
		all = append(all, against(turns(fmt.Sprintf("fasthttp, the same %d bytes", len(answer)), bare, port)))
	}
	gate := aiming(c.goal, turns("jobgate", r.gate.process, r.gate.port))
	gate.reference = c.body != "" // it stands alone
	all = append(all, gate)
	if err := takeTurns(ctx, r.options, all); err != nil {
		return fmt.Errorf("%s: %w", c.title, err)
	}
	printTurns(c.title+i.title, all)
	return nil
}

// plainLoad is wrk, believed by its path.
func (r *jobsRun) plainLoad(ctx context.Context, c deviceCall, port int) (turn, error) {
	o := *r.options
	o.connections = r.connections(c)
	return wrk(ctx, &o, local(port, ""), deviceScript(c.group, r.members(c), c.path, c.method, c.body))
}

// compareUpdates measures how many reports a second are on disk when they are answered.
func (r *jobsRun) compareUpdates(ctx context.Context) error {
	if err := r.beside(ctx, updateCall, identity{load: r.plainLoad}); err != nil {
		return err
	}
	mid, high, err := syncTime(r.static("sync"))
	if err != nil {
		return err
	}
	fmt.Printf("Reports come by %d connections. To write 4 KB at a file's end and sync it takes this disk %s (p99 %s); one sync is for all\nreports that wait.\n\n",
		updateClients, shortDuration(float64(mid)), shortDuration(float64(high)))
	return nil
}
