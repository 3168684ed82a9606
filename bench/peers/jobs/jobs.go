// Package jobs measures the IoT Jobs service with a job on a group of many things.
package jobs

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
	"jobgate/bench/report"
)

const (
	updateRate    = 100 // updates a second during the rollout
	updateClients = 256 // connections that send updates in a closed loop
)

// Run is a comparison in progress.
type Run struct {
	*setup.Options
	Gate  *gate.Gate
	Store string // the database
	sts   string // URL
	small int    // things in each of the small groups
	empty int64  // live heap of a gateway without things, in bytes
	facts *table.Table

	answers map[string][]byte // jobgate's answers by DeviceCall.Title, for the bare server
}

func NewRun(o *setup.Options, store, sts string) *Run {
	return &Run{Options: o, Store: store, sts: sts, small: gate.GroupSizes(o.Things)[gate.GroupIdle], answers: make(map[string][]byte)}
}

// Start starts the gateway on the store. mode is auth.mode, "" for none.
func (r *Run) Start(ctx context.Context, mode string) (err error) {
	r.Gate, err = gate.Start(ctx, r.Options, server.Settings{Store: r.Store, Auth: mode, TLS: mode == "mtls"}, r.sts)
	return err
}

// CreateSigned creates the job whose document holds a signed URL, and waits until it is queued.
func (r *Run) CreateSigned(ctx context.Context) error {
	document, err := os.ReadFile(filepath.Join(r.Folder, "document.json"))
	if err != nil {
		return err
	}
	if _, err := r.Gate.CreateJob(ctx, gate.JobSigned, gate.GroupSigned, string(document)); err != nil {
		return err
	}
	return r.Gate.Queued(ctx, gate.JobSigned, r.small)
}

// Compare measures the IoT Jobs service: a job on a group of many things, and devices' calls.
//
//	fill the store ─▶ start jobgate ─▶ CreateJob, rollout ─▶ heap ─▶ reads in turns ─▶ updates ─▶ the same with SigV4, mTLS
//	                                    devices meanwhile            beside fasthttp
func Compare(ctx context.Context, o *setup.Options) error {
	sts := httptest.NewServer(http.HandlerFunc(account.AssumeRole))
	defer sts.Close()
	r := NewRun(o, filepath.Join(o.Folder, "jobs.db"), sts.URL)
	if err := r.MeasureEmpty(ctx); err != nil {
		return err
	}
	if err := gate.MakeStore(ctx, o, r.Store, r.sts); err != nil {
		return err
	}
	if err := r.Start(ctx, ""); err != nil {
		return err
	}
	defer func() { r.Gate.Stop() }()
	fmt.Printf("## The IoT Jobs service, %s things\n\nGateway on core %d, devices on core %d; `auth: none`, the store on %s.\n\n",
		table.Thousands(float64(o.Things)), o.ServerCore, o.LoadCore, FileSystem(o.Folder))
	r.facts = table.New("<", "", "<goal")
	for _, step := range []func(context.Context) error{r.rollOut, r.measureHeap, r.compareReads, r.compareUpdates, r.compareIdentities} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// FileSystem returns the type of a folder's file system, which determines the cost of a sync.
func FileSystem(folder string) string {
	return setup.Output("stat", "-f", "-c", "%T", folder)
}

// MeasureEmpty measures the heap of a gateway without things.
func (r *Run) MeasureEmpty(ctx context.Context) error {
	g, err := gate.Start(ctx, r.Options, server.Settings{Store: filepath.Join(r.Folder, "empty.db")}, r.sts)
	if err != nil {
		return err
	}
	defer g.Stop()
	r.empty, err = g.Heap(ctx)
	return err
}

// rollOut creates the jobs and measures devices' latency while the large one is queued.
func (r *Run) rollOut(ctx context.Context) error {
	if err := r.CreateSigned(ctx); err != nil {
		return err
	}
	idle, err := r.devices(ctx, func(ctx context.Context) error { return process.Sleep(ctx, r.Length) })
	if err != nil {
		return err
	}
	var returned, all time.Duration
	busy, err := r.devices(ctx, func(ctx context.Context) error {
		begun := time.Now()
		var err error
		if returned, err = r.Gate.CreateJob(ctx, gate.JobFleet, gate.GroupFleet, gate.PlainDocument); err != nil {
			return err
		}
		err = r.Gate.Queued(ctx, gate.JobFleet, r.Things)
		all = time.Since(begun)
		return err
	})
	if err != nil {
		return err
	}
	t := r.facts
	t.Add("CreateJob returned after", table.ShortDuration(float64(returned)), "≤ 1 s")
	t.Add("all are queued after", fmt.Sprintf("%.2f s", all.Seconds()), "≤ 60 s")
	for i, name := range []string{fmt.Sprintf("`$next`, %d/s", gate.ReadRate), fmt.Sprintf("UpdateJobExecution, %d/s", updateRate)} {
		goal := ""
		if i == 0 {
			goal = "≤ 10 × idle"
		}
		t.Add(name+": p50, p99 idle", load.Percentiles(idle[i]), "")
		t.Add(name+": p50, p99 while it is queued", load.Percentiles(busy[i]), goal)
	}
	return nil
}

// devices runs open loops of polls and updates, from shortly before work begins until it ends.
func (r *Run) devices(ctx context.Context, work func(context.Context) error) (all [2]*report.Result, err error) {
	g, ctx := errgroup.WithContext(ctx)
	running, stop := context.WithCancel(ctx)
	defer stop()
	loads := [2][]string{
		{"--rate", fmt.Sprintf("%d/s", gate.ReadRate), "--things", strconv.Itoa(r.Things), "--thing-prefix", gate.GroupFleet, r.path("$next")},
		{
			"--rate", fmt.Sprintf("%d/s", updateRate), "--things", strconv.Itoa(r.small), "--thing-prefix", gate.GroupSigned,
			"--method", "POST", "--body", load.UpdateBody, r.path(gate.JobSigned),
		},
	}
	for i, args := range loads {
		g.Go(func() (err error) {
			args = append([]string{"--connections", "32", "--warmup", "500ms", "--duration", gate.RolloutLimit.String()}, args...)
			all[i], err = load.BenchUntil(running, r.Options, args...)
			return err
		})
	}
	g.Go(func() error {
		defer stop()
		if err := process.Sleep(ctx, time.Second); err != nil { // for the start and warm-up of the generators
			return err
		}
		return work(ctx)
	})
	return all, g.Wait()
}

// path returns the URL template of a device's job for jobgate bench.
func (r *Run) path(job string) string {
	return process.URL(r.Gate.Port, "/things/{thingName}/jobs/"+job)
}

// Heap returns the running gateway's live heap in bytes, and the part of it per thing: the growth over a gateway without
// things.
func (r *Run) Heap(ctx context.Context) (full int64, each float64, err error) {
	full, err = r.Gate.Heap(ctx)
	return full, float64(full-r.empty) / float64(r.Things+r.small), err // things of the idle group are in the heap as well
}

// measureHeap measures the heap when each thing has its job.
func (r *Run) measureHeap(ctx context.Context) error {
	full, each, err := r.Heap(ctx)
	if err != nil {
		return err
	}
	r.facts.Add("live heap a thing, beyond an empty gateway", fmt.Sprintf("%.0f B", each), "≤ 256 B")
	r.facts.Add("live heap: empty, with all things", fmt.Sprintf("%.1f MB, %.1f MB", table.Megabytes(r.empty), table.Megabytes(full)), "")
	r.facts.Add("resident", fmt.Sprintf("%.1f MB", table.Megabytes(r.Gate.RSS())), "")
	fmt.Print(r.facts)
	return nil
}
