package jobs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"jobgate/bench/peers/bare"
	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/table"
)

// DeviceCall is a kind of request from devices.
type DeviceCall struct {
	Title, group string
	method, path string // path after the thing's name
	body         string // of an update, which is on disk when it is answered; "": a read
	goal         string
}

// The calls of devices.
var (
	DescribeCall = DeviceCall{"DescribeJobExecution with document", gate.GroupFleet, http.MethodGet, "/jobs/" + gate.JobFleet, "", "≥ 0.75"}
	SignedCall   = DeviceCall{"DescribeJobExecution with document and a signed URL", gate.GroupSigned, http.MethodGet, "/jobs/" + gate.JobSigned, "", "≥ 0.75"}
	NextCall     = DeviceCall{"`$next`, the pending job with its document", gate.GroupFleet, http.MethodGet, "/jobs/$next", "", ""}
	NothingCall  = DeviceCall{"`$next`, nothing is pending", gate.GroupIdle, http.MethodGet, "/jobs/$next", "", "≥ 0.85"}
	UpdateCall   = DeviceCall{"UpdateJobExecution, on disk when answered", gate.GroupFleet, http.MethodPost, "/jobs/" + gate.JobFleet, load.UpdateBody, "≥ 10,000/s, p99 ≤ 100 ms"}
)

// connections is the number of concurrent devices.
func (r *Run) connections(c DeviceCall) int {
	if c.body != "" {
		return updateClients
	}
	return r.Options.Connections
}

// members is the number of things in the group of a call.
func (r *Run) members(c DeviceCall) int {
	if c.group == gate.GroupFleet {
		return r.Things
	}
	return r.small
}

// compareReads compares devices' reads with a bare server that sends the same answer.
func (r *Run) compareReads(ctx context.Context) error {
	for _, c := range []DeviceCall{DescribeCall, SignedCall, NextCall, NothingCall} {
		answer, err := r.Gate.Answer(ctx, process.URL(r.Gate.Port, "/things/"+load.ThingName(c.group, r.members(c), 0)+c.path))
		if err != nil {
			return fmt.Errorf("%s: %w", c.Title, err)
		}
		if strings.Contains(string(answer), "${aws:iot:") {
			return fmt.Errorf("%s: jobgate's answer of %d bytes has an unfilled placeholder", c.Title, len(answer))
		}
		r.answers[c.Title] = answer
		if err := r.beside(ctx, c, identity{bare: bare.Fasthttp, load: r.PlainLoad}); err != nil {
			return err
		}
	}
	return nil
}

// beside measures in turns jobgate and, for reads, a bare server with the same answer.
func (r *Run) beside(ctx context.Context, c DeviceCall, i identity) error {
	turns := func(name string, p *process.Process, port int) *rounds.Contestant {
		return &rounds.Contestant{Name: name, Server: p, Run: func(ctx context.Context) (rounds.Turn, error) { return i.load(ctx, c, port) }}
	}
	var all []*rounds.Contestant
	if c.body == "" {
		answer := r.answers[c.Title]
		if err := os.WriteFile(r.Static(bare.File), answer, 0o600); err != nil {
			return err
		}
		bare, port, err := server.StartBare(r.Options, r.ServerCore, i.bare)
		if err != nil {
			return err
		}
		defer bare.Stop()
		if err := process.Listens(ctx, port); err != nil {
			return err
		}
		all = append(all, rounds.Against(turns(fmt.Sprintf("fasthttp, the same %d bytes", len(answer)), bare, port)))
	}
	gate := rounds.Aiming(c.goal, turns("jobgate", r.Gate.Process, r.Gate.Port))
	gate.Reference = c.body != "" // an update has no rival
	all = append(all, gate)
	if err := rounds.Take(ctx, r.Options, all); err != nil {
		return fmt.Errorf("%s: %w", c.Title, err)
	}
	rounds.Print(c.Title+i.title, all)
	return nil
}

// PlainLoad runs wrk without authentication: the path names the thing.
func (r *Run) PlainLoad(ctx context.Context, c DeviceCall, port int) (rounds.Turn, error) {
	o := *r.Options
	o.Connections = r.connections(c)
	return load.Wrk(ctx, &o, process.URL(port, ""), load.DeviceScript(c.group, r.members(c), c.path, c.method, c.body))
}

// compareUpdates measures updates a second, each on disk when it is answered.
func (r *Run) compareUpdates(ctx context.Context) error {
	if err := r.beside(ctx, UpdateCall, identity{load: r.PlainLoad}); err != nil {
		return err
	}
	mid, high, err := syncTime(r.Static("sync"))
	if err != nil {
		return err
	}
	fmt.Printf("Reports use %d connections. Appending 4 KB to a file and syncing it takes %s on this disk (p99 %s); one sync serves all\nwaiting reports.\n\n",
		updateClients, table.ShortDuration(float64(mid)), table.ShortDuration(float64(high)))
	return nil
}

// syncTime measures the duration of a small durable write: the median and the 99th percentile.
func syncTime(path string) (mid, high time.Duration, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	took := make([]time.Duration, 200)
	page := make([]byte, 4096)
	for i := range took {
		begun := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}
