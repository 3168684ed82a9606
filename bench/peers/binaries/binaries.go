// Package binaries compares two jobgate programs by the server's cost of a request.
package binaries

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/jobs"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
)

// side is one of the two compared jobgates.
type side struct {
	*setup.Options // with its program
	name           string
	jobs           *jobs.Run
	heap           []float64 // bytes a thing, once per opening of the store
}

// pair is a scenario that both sides have run in turns.
type pair struct {
	scenario, unit string // unit of the rate and the CPU time: request or thing
	sides          [2]*rounds.Contestant
}

// ratios returns a figure's ratio of after to before in each round.
func (p *pair) ratios(figure func(rounds.Turn) float64) []float64 {
	return p.sides[1].Ratios(p.sides[0], figure)
}

// binaries is a comparison in progress.
type binaries struct {
	*setup.Options
	sides [2]*side // before, after
	sts   string   // URL
	store string   // with the things, created by the first side, which later versions can read
	pairs []*pair
}

// Compare runs each scenario in turns on two programs and prints the cost of a request.
//
//	-before ─┬▶ HTTP: both run, one gets the load ─▶ CreateJob: one runs, on a fresh store ─▶ one opens that store ─▶
//	-after  ─┘      devices' calls ─▶ with SigV4 ─▶ one table
func Compare(ctx context.Context, o *setup.Options) error {
	if o.Before == "" {
		return errors.New("-before PATH is required: the program to compare with; without -after PATH, the other one is built from the tree")
	}
	sts := httptest.NewServer(http.HandlerFunc(account.AssumeRole))
	defer sts.Close()
	b := &binaries{Options: o, sts: sts.URL, store: filepath.Join(o.Folder, "jobs.db")}
	for i, program := range [2]string{o.Before, o.After} {
		own := *o
		if program != "" { // otherwise the one built from the tree
			own.Jobgate = program
		}
		name := [2]string{"before", "after"}[i]
		b.sides[i] = &side{Options: &own, name: name, jobs: jobs.NewRun(&own, filepath.Join(o.Folder, name+".db"), b.sts)}
	}
	for _, step := range []func(context.Context) error{b.compareHTTP, b.compareCreate, b.compareOpening, b.compareDevices, b.compareSigned} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return b.print()
}

// wanted reports whether -only selects a scenario.
func (b *binaries) wanted(scenario string) bool {
	return strings.Contains(strings.ToLower(scenario), strings.ToLower(b.Only))
}

// anyWanted reports whether -only selects any of several scenarios.
func (b *binaries) anyWanted(scenarios ...string) bool {
	return slices.ContainsFunc(scenarios, b.wanted)
}

// play runs a scenario on both sides in turns. The first round is a warm-up and is not counted.
func (b *binaries) play(ctx context.Context, scenario string, contestants [2]*rounds.Contestant) error {
	if !b.wanted(scenario) {
		return nil
	}
	b.Progress("%s", scenario)
	warm := *b.Options
	warm.Rounds++
	if err := rounds.Take(ctx, &warm, contestants[:]); err != nil {
		return fmt.Errorf("%s: %w", scenario, err)
	}
	for _, c := range contestants {
		c.Turns = c.Turns[1:]
	}
	b.pairs = append(b.pairs, &pair{scenario, "request", contestants})
	return nil
}

// documentScenarios are wrk's requests for documents and routes.
var documentScenarios = []struct{ name, path, script string }{
	{"one document for all", "/hot", ""},
	{"a URL per device", "/", load.DeviceDocuments},
	{"filling in flight", "/fill/thing-1", ""},
	{"passing through", "/plain/thing-1", ""},
}

// compareHTTP runs the scenarios of documents and filling.
func (b *binaries) compareHTTP(ctx context.Context) error {
	var scenarios []string
	for _, s := range documentScenarios {
		scenarios = append(scenarios, s.name)
	}
	if !b.anyWanted(scenarios...) {
		return nil
	}
	var running []*process.Process
	defer func() {
		for _, p := range running {
			p.Stop()
		}
	}()
	upstream, err := server.StartUpstream(ctx, b.Options, &running)
	if err != nil {
		return err
	}
	var gates [2]server.Endpoint
	for i, s := range b.sides {
		if gates[i], _, err = server.StartFilling(ctx, s.Options, upstream, &running); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, s := range documentScenarios {
		var turns [2]*rounds.Contestant
		for i, side := range b.sides {
			turns[i] = load.Asking(side.Options, gates[i], side.name, s.path, s.script)
		}
		if err := b.play(ctx, s.name, turns); err != nil {
			return err
		}
	}
	return nil
}

// createScenario is the rollout of a job. Its CPU time is per queued thing.
const createScenario = "CreateJob, until all is queued"

// compareCreate creates the store and, in each round, a job for all its things. Each side keeps a store with the job.
func (b *binaries) compareCreate(ctx context.Context) error {
	if !b.anyWanted(append(b.deviceScenarios(""), append(b.deviceScenarios(signedTitle), createScenario, openScenario)...)...) {
		return nil
	}
	if err := gate.MakeStore(ctx, b.sides[0].Options, b.store, b.sts); err != nil {
		return err
	}
	var turns [2]*rounds.Contestant
	for i, s := range b.sides {
		turns[i] = &rounds.Contestant{Name: s.name, Run: func(ctx context.Context) (rounds.Turn, error) { return s.create(ctx, b.store) }}
	}
	limited := *b.Options
	if !b.wanted(createScenario) {
		limited.Rounds = 1 // later scenarios need the job
	}
	b.Progress("%s", createScenario)
	if err := rounds.Take(ctx, &limited, turns[:]); err != nil {
		return fmt.Errorf("%s: %w", createScenario, err)
	}
	if b.wanted(createScenario) {
		b.pairs = append(b.pairs, &pair{createScenario, "thing", turns})
	}
	return nil
}

// create creates the job on a fresh copy of the store and measures the time until all executions are queued.
func (s *side) create(ctx context.Context, store string) (t rounds.Turn, err error) {
	if err := gate.CopyStore(s.jobs.Store, store); err != nil {
		return t, err
	}
	if err := s.jobs.Start(ctx, ""); err != nil {
		return t, err
	}
	defer s.jobs.Gate.Stop()
	g := s.jobs.Gate
	cpu, begun := g.CPU(), time.Now()
	if t.P50, err = g.CreateJob(ctx, gate.JobFleet, gate.GroupFleet, gate.PlainDocument); err != nil {
		return t, err
	}
	if err := g.Queued(ctx, gate.JobFleet, s.Things); err != nil {
		return t, err
	}
	t.Good = int64(s.Things)
	t.Rate = float64(t.Good) / time.Since(begun).Seconds()
	t.Server = (g.CPU() - cpu) / time.Duration(t.Good)
	return t, nil
}

// signedTitle is the title suffix of scenarios with signed requests.
const signedTitle = ", SigV4"

// deviceScenarios returns the names of the scenarios with devices' calls.
func (b *binaries) deviceScenarios(title string) (all []string) {
	for _, c := range deviceCalls(title) {
		all = append(all, c.Title+title)
	}
	return all
}

// deviceCalls returns the devices' calls, without authentication or, for signedTitle, with SigV4.
func deviceCalls(title string) []jobs.DeviceCall {
	if title == signedTitle {
		return []jobs.DeviceCall{jobs.DescribeCall, jobs.NextCall, jobs.UpdateCall}
	}
	return []jobs.DeviceCall{jobs.DescribeCall, jobs.SignedCall, jobs.NextCall, jobs.NothingCall, jobs.UpdateCall}
}

// compareDevices runs the devices' calls without authentication.
func (b *binaries) compareDevices(ctx context.Context) error { return b.callAll(ctx, "", "") }

// compareSigned runs the devices' calls with SigV4.
func (b *binaries) compareSigned(ctx context.Context) error {
	return b.callAll(ctx, "sigv4", signedTitle)
}

// callAll runs the devices' calls with an auth mode.
func (b *binaries) callAll(ctx context.Context, mode, title string) error {
	if !b.anyWanted(b.deviceScenarios(title)...) {
		return nil
	}
	for _, s := range b.sides {
		if err := s.jobs.Start(ctx, mode); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer s.jobs.Gate.Stop()
		if mode == "" {
			if err := s.jobs.CreateSigned(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	for _, c := range deviceCalls(title) {
		var turns [2]*rounds.Contestant
		for i, s := range b.sides {
			load := s.jobs.PlainLoad
			if mode != "" {
				load = s.jobs.SignedLoad
			}
			turns[i] = &rounds.Contestant{Name: s.name, Server: s.jobs.Gate.Process, Run: func(ctx context.Context) (rounds.Turn, error) {
				return load(ctx, c, s.jobs.Gate.Port)
			}}
		}
		if err := b.play(ctx, c.Title+title, turns); err != nil {
			return err
		}
	}
	return nil
}
