// Package binaries compares two jobgates: what a request costs the server in each.
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

// side is one of the two jobgates that compare sets against each other.
type side struct {
	*setup.Options // with its program
	name           string
	jobs           *jobs.Run
	heap           []float64 // bytes a thing, each time the store was opened
}

// pair is a scenario that both sides have played in turns.
type pair struct {
	scenario, unit string // unit: what its rate and its CPU time are of
	sides          [2]*rounds.Contestant
}

// ratios are those of a figure within each round, after to before.
func (p *pair) ratios(figure func(rounds.Turn) float64) []float64 {
	return p.sides[1].Ratios(p.sides[0], figure)
}

// binaries is the comparison of two jobgates under way.
type binaries struct {
	*setup.Options
	sides [2]*side // before, after
	sts   string   // URL
	store string   // with the things, made by the first, which every later one can read
	pairs []*pair
}

// Compare compares two programs, which play each scenario in turns, and says what a request costs them.
//
//	-before ─┬▶ http: both run, one is asked ─▶ CreateJob: one runs, on a fresh store ─▶ one opens that store ─▶
//	-after  ─┘      devices' calls ─▶ with SigV4 ─▶ one table
func Compare(ctx context.Context, o *setup.Options) error {
	if o.Before == "" {
		return errors.New("it takes -before PATH: the program to compare with; and -after PATH, unless that is to be built from the tree")
	}
	sts := httptest.NewServer(http.HandlerFunc(account.AssumeRole))
	defer sts.Close()
	b := &binaries{Options: o, sts: sts.URL, store: filepath.Join(o.Folder, "jobs.db")}
	for i, program := range [2]string{o.Before, o.After} {
		own := *o
		if program != "" { // else the one of the tree
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

// wanted says whether -only lets a scenario be played.
func (b *binaries) wanted(scenario string) bool {
	return strings.Contains(strings.ToLower(scenario), strings.ToLower(b.Only))
}

// anyWanted says whether -only lets one of several scenarios be played.
func (b *binaries) anyWanted(scenarios ...string) bool {
	return slices.ContainsFunc(scenarios, b.wanted)
}

// play lets both sides play a scenario in turns. The first round of a load warms them up, and is not counted.
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

// documentScenarios are what wrk asks of documents and routes.
var documentScenarios = []struct{ name, path, script string }{
	{"one document for all", "/hot", ""},
	{"a URL per device", "/", load.DeviceDocuments},
	{"filling in flight", "/fill/thing-1", ""},
	{"passing through", "/plain/thing-1", ""},
}

// compareHTTP plays documents and filling.
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

// createScenario is the rollout of a job; its CPU time is that of queueing one thing.
const createScenario = "CreateJob, until all is queued"

// compareCreate makes the store, and in each round a job on all its things. It leaves each side a store with the job.
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
		limited.Rounds = 1 // what follows needs the job
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

// create creates the job on a fresh copy of the store, and takes the time until all executions are queued.
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

// signedTitle marks the scenarios with signed requests.
const signedTitle = ", SigV4"

// deviceScenarios are the names of the devices' calls.
func (b *binaries) deviceScenarios(title string) (all []string) {
	for _, c := range deviceCalls(title) {
		all = append(all, c.Title+title)
	}
	return all
}

// deviceCalls are what devices are made to ask for, believed or signed.
func deviceCalls(title string) []jobs.DeviceCall {
	if title == signedTitle {
		return []jobs.DeviceCall{jobs.DescribeCall, jobs.NextCall, jobs.UpdateCall}
	}
	return []jobs.DeviceCall{jobs.DescribeCall, jobs.SignedCall, jobs.NextCall, jobs.NothingCall, jobs.UpdateCall}
}

// compareDevices plays what devices ask for, believed by their path.
func (b *binaries) compareDevices(ctx context.Context) error { return b.callAll(ctx, "", "") }

// compareSigned plays it with requests that are signed.
func (b *binaries) compareSigned(ctx context.Context) error {
	return b.callAll(ctx, "sigv4", signedTitle)
}

// callAll plays the devices' calls under an auth mode.
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
