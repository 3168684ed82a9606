package connections

import (
	"context"
	"fmt"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

// Polling keeps many connections that each send a request at an interval, as a connected fleet does. It measures the
// server's memory per connection and the cost of a request after a silence.
//
//	open, one request ─▶ each asks once per interval: a warm-up, then one interval per round ─▶ memory, CPU time a request, latency
//
// The program of -before runs at the same time, on the same core, so that both see the same conditions.
func Polling(ctx context.Context, o *setup.Options) error {
	r, err := newIdleRun(ctx, o)
	if err != nil {
		return err
	}
	r.head("connections that ask")
	fmt.Printf("Each sends a request every %s, evenly spread; memory is the growth of the server's resident set after the last interval. CPU is the median of %d intervals, latency that of all of them.\n\n", o.Every, o.Rounds)
	t := table.New("<server", "<", "memory per connection", "requests/s", "server's CPU a request", "to that of the one before", "p50", "p99", "failed")
	var together []*pollingTurn
	for _, s := range idleServers(o, r.each) {
		if !s.selected(o) {
			continue
		}
		together = append(together, &pollingTurn{idleServer: s})
		if s.name == "before" {
			continue // measured together with the next one
		}
		if err := r.polling(ctx, together); err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, s.kind, err)
		}
		for _, p := range together {
			t.Add(r.pollingRow(p, together[0])...)
		}
		together = nil
	}
	fmt.Print(t)
	return nil
}

// pollingTurn is the measurement of one server, alone or beside another.
type pollingTurn struct {
	idleServer
	servers []*process.Process
	holders []*holder
	empty   int64
	full    int64
	cpu     []time.Duration // in each interval
	held    held
}

// polling measures servers at the same time.
func (r *idleRun) polling(ctx context.Context, turns []*pollingTurn) error {
	for _, p := range turns {
		servers, ports, err := r.startServers(ctx, p.idleServer)
		if err != nil {
			return err
		}
		defer stopAll(servers)
		p.servers, p.empty = servers, resident(servers)
		if p.holders, err = r.hold(ctx, p.idleServer, ports, r.Every); err != nil {
			return err
		}
		defer stopHolders(p.holders)
	}
	for round := range r.Rounds + 1 {
		before := make([]time.Duration, len(turns))
		for i, p := range turns {
			before[i] = cpuOf(p.servers)
		}
		if err := process.Sleep(ctx, r.Every); err != nil {
			return err
		}
		for i, p := range turns {
			used := cpuOf(p.servers) - before[i]
			r.Progress("%s, %s, interval %d: %s of CPU", p.name, p.kind, round, used)
			if round > 0 { // the first interval includes garbage collection after the handshakes
				p.cpu = append(p.cpu, used)
			}
		}
	}
	for _, p := range turns {
		p.full = resident(p.servers)
		for _, h := range p.holders {
			one, err := h.end()
			if err != nil {
				return err
			}
			p.held.Answers, p.held.Failed = p.held.Answers+one.Answers, p.held.Failed+one.Failed
			p.held.P50, p.held.P99 = max(p.held.P50, one.P50), max(p.held.P99, one.P99) // of the slowest process
		}
	}
	return nil
}

// pollingRow returns p's table row, compared with the server that ran beside it.
func (r *idleRun) pollingRow(p, beside *pollingTurn) []string {
	n := r.each * r.processes
	var request, ratio []float64
	for i, used := range p.cpu {
		request = append(request, float64(used)/float64(n))
		ratio = append(ratio, float64(used)/float64(beside.cpu[i]))
	}
	compared := "–"
	if p != beside {
		compared = rounds.Spread(ratio)
	}
	return []string{
		p.name, p.kind, perConnection(p.full-p.empty, n), table.Thousands(float64(n) / r.Every.Seconds()), table.Microseconds(rounds.Median(request)),
		compared, table.ShortDuration(float64(p.held.P50)), table.ShortDuration(float64(p.held.P99)), fmt.Sprint(p.held.Failed),
	}
}

// cpuOf returns the total CPU time of several servers.
func cpuOf(servers []*process.Process) (total time.Duration) {
	for _, p := range servers {
		total += p.CPU()
	}
	return total
}
