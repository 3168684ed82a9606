package main

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
)

// side is one of the two jobgates that compare sets against each other.
type side struct {
	*options // with its program
	name     string
	jobs     *jobsRun
}

// pair is a scenario that both sides have played in turns.
type pair struct {
	scenario, unit string // unit: what its rate and its CPU time are of
	sides          [2]*contestant
}

// ratios are those of a figure within each round, after to before.
func (p *pair) ratios(figure func(turn) float64) []float64 {
	return p.sides[1].ratios(p.sides[0], figure)
}

// binaries is the comparison of two jobgates under way.
type binaries struct {
	*options
	sides [2]*side // before, after
	sts   string   // URL
	store string   // with the things, made by the first, which every later one can read
	pairs []*pair
}

// compareBinaries compares two programs, which play each scenario in turns, and says what a request costs them.
//
//	-before ─┬▶ http: both run, one is asked ─▶ CreateJob: one runs, on a fresh store ─▶ devices' calls ─▶ with SigV4 ─▶ one table
//	-after  ─┘
func compareBinaries(ctx context.Context, o *options) error {
	if o.before == "" {
		return errors.New("it takes -before PATH: the program to compare with; and -after PATH, unless that is to be built from the tree")
	}
	sts := httptest.NewServer(http.HandlerFunc(assumeRole))
	defer sts.Close()
	b := &binaries{options: o, sts: sts.URL, store: filepath.Join(o.folder, "jobs.db")}
	for i, program := range [2]string{o.before, o.after} {
		own := *o
		if program != "" { // else the one of the tree
			own.jobgate = program
		}
		name := [2]string{"before", "after"}[i]
		b.sides[i] = &side{options: &own, name: name, jobs: newJobsRun(&own, filepath.Join(o.folder, name+".db"), b.sts)}
	}
	for _, step := range []func(context.Context) error{b.compareHTTP, b.compareCreate, b.compareDevices, b.compareSigned} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return b.print()
}

// wanted says whether -only lets a scenario be played.
func (b *binaries) wanted(scenario string) bool {
	return strings.Contains(strings.ToLower(scenario), strings.ToLower(b.only))
}

// anyWanted says whether -only lets one of several scenarios be played.
func (b *binaries) anyWanted(scenarios ...string) bool {
	return slices.ContainsFunc(scenarios, b.wanted)
}

// play lets both sides play a scenario in turns. The first round of a load warms them up, and is not counted.
func (b *binaries) play(ctx context.Context, scenario string, contestants [2]*contestant) error {
	if !b.wanted(scenario) {
		return nil
	}
	b.progress("%s", scenario)
	warm := *b.options
	warm.rounds++
	if err := takeTurns(ctx, &warm, contestants[:]); err != nil {
		return fmt.Errorf("%s: %w", scenario, err)
	}
	for _, c := range contestants {
		c.turns = c.turns[1:]
	}
	b.pairs = append(b.pairs, &pair{scenario, "request", contestants})
	return nil
}

// documentScenarios are what wrk asks of documents and routes.
var documentScenarios = []struct{ name, path, script string }{
	{"one document for all", "/hot", ""},
	{"a URL per device", "/", names},
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
	var running []*process
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	upstream, err := startUpstream(ctx, b.options, &running)
	if err != nil {
		return err
	}
	var gates [2]endpoint
	for i, s := range b.sides {
		if gates[i], _, err = startFilling(ctx, s.options, upstream, &running); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	for _, s := range documentScenarios {
		var turns [2]*contestant
		for i, side := range b.sides {
			turns[i] = gates[i].contestant(side.options, side.name, s.path, s.script)
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
	if !b.anyWanted(append(b.deviceScenarios(""), append(b.deviceScenarios(signedTitle), createScenario)...)...) {
		return nil
	}
	if err := makeStore(ctx, b.sides[0].options, b.store, b.sts); err != nil {
		return err
	}
	var turns [2]*contestant
	for i, s := range b.sides {
		turns[i] = &contestant{name: s.name, run: func(ctx context.Context) (turn, error) { return s.create(ctx, b.store) }}
	}
	rounds := *b.options
	if !b.wanted(createScenario) {
		rounds.rounds = 1 // the devices need the job
	}
	b.progress("%s", createScenario)
	if err := takeTurns(ctx, &rounds, turns[:]); err != nil {
		return fmt.Errorf("%s: %w", createScenario, err)
	}
	if b.wanted(createScenario) {
		b.pairs = append(b.pairs, &pair{createScenario, "thing", turns})
	}
	return nil
}

// create creates the job on a fresh copy of the store, and takes the time until all executions are queued.
func (s *side) create(ctx context.Context, store string) (t turn, err error) {
	if err := copyStore(s.jobs.store, store); err != nil {
		return t, err
	}
	if err := s.jobs.start(ctx, ""); err != nil {
		return t, err
	}
	defer s.jobs.gate.stop()
	g := s.jobs.gate
	cpu, begun := g.cpu(), time.Now()
	if t.p50, err = g.createJob(ctx, jobFleet, groupFleet, plainDocument); err != nil {
		return t, err
	}
	if err := g.queued(ctx, jobFleet, s.things); err != nil {
		return t, err
	}
	t.good = int64(s.things)
	t.rate = float64(t.good) / time.Since(begun).Seconds()
	t.server = (g.cpu() - cpu) / time.Duration(t.good)
	return t, nil
}

// signedTitle marks the scenarios with signed requests.
const signedTitle = ", SigV4"

// deviceScenarios are the names of the devices' calls.
func (b *binaries) deviceScenarios(title string) (all []string) {
	for _, c := range deviceCalls(title) {
		all = append(all, c.title+title)
	}
	return all
}

// deviceCalls are what devices are made to ask for, believed or signed.
func deviceCalls(title string) []deviceCall {
	if title == signedTitle {
		return []deviceCall{describeCall, nextCall, updateCall}
	}
	return []deviceCall{describeCall, signedCall, nextCall, nothingCall, updateCall}
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
		if err := s.jobs.start(ctx, mode); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer s.jobs.gate.stop()
		if mode == "" {
			if err := s.jobs.createSigned(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	for _, c := range deviceCalls(title) {
		var turns [2]*contestant
		for i, s := range b.sides {
			load := s.jobs.plainLoad
			if mode != "" {
				load = s.jobs.signedLoad
			}
			turns[i] = &contestant{name: s.name, server: s.jobs.gate.process, run: func(ctx context.Context) (turn, error) {
				return load(ctx, c, s.jobs.gate.port)
			}}
		}
		if err := b.play(ctx, c.title+title, turns); err != nil {
			return err
		}
	}
	return nil
}

// print writes the table, and the ratios of each pair of turns.
func (b *binaries) print() error {
	if len(b.pairs) == 0 {
		return fmt.Errorf("-only %q leaves no scenario", b.only)
	}
	fmt.Printf("## Two binaries\n\nBefore: %s. After: %s.\nServer on core %d, load on core %d, %d rounds of %s, %s things.\n\n",
		output(b.sides[0].jobgate, "version"), output(b.sides[1].jobgate, "version"), b.serverCore, b.loadCore, b.rounds, b.length, thousands(float64(b.things)))
	t := newTable("<scenario", "server's CPU before", "after", "<a", "ratio (lowest … highest)", "rate before", "after", "ratio (lowest … highest)", "wrong answers")
	each := newTable("<scenario", "<CPU ratio of each pair")
	for _, p := range b.pairs {
		of := func(i int, figure func(turn) float64) float64 { return median(p.sides[i].of(figure)) }
		cpu := p.ratios(serverOf)
		t.add(p.scenario, microseconds(of(0, serverOf)), microseconds(of(1, serverOf)), p.unit, spread(cpu),
			thousands(of(0, rateOf)), thousands(of(1, rateOf)), spread(p.ratios(rateOf)),
			fmt.Sprintf("%.0f, %.0f", sum(p.sides[0].of(failedOf)), sum(p.sides[1].of(failedOf))))
		var words []string
		for _, r := range cpu {
			words = append(words, fmt.Sprintf("%.3f", r))
		}
		each.add(p.scenario, strings.Join(words, " "))
	}
	fmt.Print(t)
	fmt.Print(each)
	fmt.Print("CPU is the server process's, user and system, over good answers: medians of all turns. A ratio is after to before within a pair of turns, and its median stands in the table.\n\n")
	return nil
}
