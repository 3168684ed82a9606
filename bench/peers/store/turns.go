package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/table"
)

// The statements of pgbench: a gateway's read and write of one execution.
const (
	rowColumns = "thing, job, number, version, status, forced, retry, retry_timed_out, queued, started, updated, deadline, step, details"
	rowSelect  = "SELECT " + rowColumns + " FROM executions WHERE thing = :thing AND job = :job;"
	rowUpdate  = `UPDATE executions SET version = version + 1, updated = updated + 1, details = '{"step":"download"}' ` +
		"WHERE thing = :thing AND job = :job RETURNING " + rowColumns + ";"
)

// storeContestant is a contestant with its gateways' own figures.
type storeContestant struct {
	*rounds.Contestant
	more []storeTurn // one per turn
}

// storeCall is a kind of request from devices.
type storeCall struct {
	title, operation, statement string
	script                      func(part, parts int) string // for one of several gateways
	many, few, fleet, rate      string                       // goals
	polling                     bool                         // gateways keep running for the next turn, with warm caches, as polling devices find them
}

func (r *storeRun) compareReads(ctx context.Context) error {
	defer r.stopOthers()
	for _, c := range []storeCall{
		{title: "`$next`, the pending job with its document", script: r.reading("/jobs/$next")},
		{title: "DescribeJobExecution with document", script: r.reading("/jobs/" + gate.JobFleet)},
	} {
		c.operation, c.statement, c.polling = "read", rowSelect, true
		c.many, c.few, c.fleet, c.rate = "CPU ≤ 0.25, rate ≥ 1", "CPU ≤ 0.45", "CPU ≤ 1.4 × one gateway's", ""
		if err := r.compareCall(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (r *storeRun) reading(path string) func(int, int) string {
	return func(int, int) string { return load.DeviceScript(gate.GroupFleet, r.Things, path, "GET", "") }
}

// compareUpdates runs executions from their start to their end. Each update is on disk when it is answered.
func (r *storeRun) compareUpdates(ctx context.Context) error {
	before, err := r.updates(ctx)
	if err != nil {
		return err
	}
	c := storeCall{
		title: "UpdateJobExecution: an execution begins, goes on and ends", operation: "write", statement: rowUpdate, script: r.updating(),
		many: "CPU ≤ 0.45, rate ≥ 2, p99 ≤ 25 ms", fleet: "CPU ≤ 1.4 × one gateway's",
	}
	if err := r.compareCall(ctx, c); err != nil {
		return err
	}
	after, err := r.updates(ctx)
	if err != nil {
		return err
	}
	r.facts.Add("updates of executions, HOT", fmt.Sprintf("%s, %.1f %%", table.Thousands(after.all-before.all), 100*(after.hot-before.hot)/(after.all-before.all)), "≥ 95 %")
	return nil
}

// updating returns the scripts of compareUpdates: each turn ends the executions of different things.
func (r *storeRun) updating() func(part, parts int) string {
	each := r.Things / (r.Rounds * 4) // four contestants run gateways, although SQLite has its own store
	return func(part, parts int) string {
		first := r.spent
		r.spent += each / parts
		return lifeScript(gate.GroupFleet, r.Things, first, r.spent, "/jobs/"+gate.JobFleet)
	}
}

type updates struct{ all, hot float64 }

// updates returns the number of updates of executions so far, by the server's statistics.
func (r *storeRun) updates(ctx context.Context) (u updates, err error) {
	err = r.db.conn.QueryRow(ctx, "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'executions'").Scan(&u.all, &u.hot)
	return u, err
}

// compareCall measures in turns pgbench, one gateway with many and with few callers, three gateways, and one on SQLite.
func (r *storeRun) compareCall(ctx context.Context, c storeCall) error {
	if !strings.Contains(c.title, r.Only) {
		return nil
	}
	base := &storeContestant{Contestant: rounds.Against(&rounds.Contestant{Name: "pgbench, 16 clients"})}
	base.Run = func(ctx context.Context) (rounds.Turn, error) {
		base.more = append(base.more, storeTurn{batch: 1})
		return r.db.pgbench(ctx, r.Options, c.statement, r.job, r.first, r.first+int64(r.Things)-1)
	}
	asking := func(name, goal string, gates, callers int) *storeContestant {
		s := &storeContestant{Contestant: rounds.Aiming(goal, &rounds.Contestant{Name: name})}
		s.Run = func(ctx context.Context) (rounds.Turn, error) {
			if !c.polling {
				defer r.stopOthers()
			}
			all, err := r.together(ctx, gates)
			if err != nil {
				return rounds.Turn{}, err
			}
			return s.turnOf(ctx, r, c, all, callers)
		}
		return s
	}
	file := &storeContestant{Contestant: &rounds.Contestant{Name: "1 gateway on SQLite, 512 callers"}}
	file.Run = func(ctx context.Context) (rounds.Turn, error) {
		t, err := file.turnOf(ctx, r, c, []*gate.Gate{r.file}, manyCallers)
		t.Server = 0 // the database is in the gateway
		return t, err
	}
	all := []*storeContestant{
		base, asking("1 gateway, 512 callers", c.many, 1, manyCallers), asking("1 gateway, 16 callers", c.few, 1, fewCallers),
		asking("3 gateways, 512 callers", c.fleet, fleetGates, manyCallers), file,
	}
	list := make([]*rounds.Contestant, len(all))
	for i, s := range all {
		list[i] = s.Contestant
	}
	if err := rounds.Take(ctx, r.Options, list); err != nil {
		return fmt.Errorf("%s: %w", c.title, err)
	}
	printStore(c.title, all)
	return nil
}

// refusals lists the gateways' answers without success in all turns, by outcome.
func (s *storeContestant) refusals() string {
	by := make(map[string]float64)
	for _, m := range s.more {
		for outcome, n := range m.refused {
			by[outcome] += n
		}
	}
	text := "none"
	for i, outcome := range slices.Sorted(maps.Keys(by)) {
		if i == 0 {
			text = ""
		}
		text += fmt.Sprintf(" %.0f %s", by[outcome], outcome)
	}
	return strings.TrimSpace(text)
}

// turnOf runs one turn of load on the gateways.
func (s *storeContestant) turnOf(ctx context.Context, r *storeRun, c storeCall, gates []*gate.Gate, callers int) (rounds.Turn, error) {
	scripts := make([]string, len(gates))
	for i := range scripts {
		scripts[i] = c.script(i, len(gates))
	}
	t, more, err := r.load(ctx, gates, callers, c.operation, scripts)
	s.more = append(s.more, more)
	return t, err
}

// together returns n gateways: r.gate and others, which run until stopOthers.
func (r *storeRun) together(ctx context.Context, n int) ([]*gate.Gate, error) {
	for len(r.others) < n-1 {
		g, err := gate.Start(ctx, r.Options, r.config, r.sts)
		if err != nil {
			return nil, err
		}
		r.others = append(r.others, g)
	}
	return append([]*gate.Gate{r.gate}, r.others[:n-1]...), nil
}

func (r *storeRun) stopOthers() {
	for _, g := range r.others {
		g.Stop()
	}
	r.others = nil
}

// printStore prints the medians of all turns. The first contestant is the reference.
func printStore(title string, all []*storeContestant) {
	fmt.Printf("### %s\n\n", title)
	t := table.New("<", "requests/s", "ratio (lowest … highest)", "database's CPU a request", "ratio (lowest … highest)", "<goal", "a statement", "gateways' CPU a request", "p50", "p99")
	base := all[0].Contestant
	for _, s := range all {
		var batches, gateways []float64
		for _, m := range s.more {
			batches, gateways = append(batches, m.batch), append(gateways, float64(m.gateways))
		}
		row := []string{s.Name, table.Thousands(rounds.Median(s.Of(rounds.RateOf))), rounds.Spread(s.Ratios(base, rounds.RateOf))}
		if s.Turns[0].Server > 0 {
			row = append(row, table.Microseconds(rounds.Median(s.Of(rounds.ServerOf))), rounds.Spread(s.Ratios(base, rounds.ServerOf)), s.Goal, fmt.Sprintf("%.1f", rounds.Median(batches)))
		} else {
			row = append(row, "", "", s.Goal, "")
		}
		t.Add(append(row, table.Microseconds(rounds.Median(gateways)), table.ShortDuration(rounds.Median(s.Of(rounds.P50Of))), table.ShortDuration(rounds.Median(s.Of(rounds.P99Of))))...)
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds; ratios are to pgbench, within each round. Three gateways to one: database's CPU %s. pgbench's p50 is its mean.\n\n",
		len(base.Turns), rounds.Spread(all[3].Ratios(all[1].Contestant, rounds.ServerOf)))
	for _, s := range all {
		if n := rounds.Sum(s.Of(rounds.FailedOf)); n > 0 {
			fmt.Printf("**%s: %.0f answers were wrong**; the gateways refused %s.\n\n", s.Name, n, s.refusals())
		}
	}
}
