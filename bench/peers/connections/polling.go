package connections

import (
	"context"
	"fmt"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

// Polling keeps many connections that each ask at an interval: a fleet that stays connected. How much memory does
// the server hold for each, and what does a request cost that comes after a long silence?
//
//	open, ask once ─▶ each asks in its turn, for two intervals ─▶ memory, CPU time a request, latency
func Polling(ctx context.Context, o *setup.Options) error {
	r, err := newIdleRun(ctx, o)
	if err != nil {
		return err
	}
	r.head("connections that ask")
	fmt.Printf("Each sends a request every %s, evenly spread; memory is the growth of the server's resident set after two rounds, CPU and latency are those of the second.\n\n", o.Every)
	t := table.New("<server", "<", "memory per connection", "requests/s", "server's CPU a request", "of its core", "p50", "p99", "failed")
	for _, s := range idleServers(o, r.each) {
		if !s.selected(o) {
			continue
		}
		row, err := r.pollingRow(ctx, s)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, s.kind, err)
		}
		t.Add(row...)
	}
	fmt.Print(t)
	return nil
}

// pollingRow measures one server.
func (r *idleRun) pollingRow(ctx context.Context, s idleServer) ([]string, error) {
	servers, ports, err := r.startServers(ctx, s)
	if err != nil {
		return nil, err
	}
	defer stopAll(servers)
	empty := resident(servers)
	holders, err := r.hold(ctx, s, ports, r.Every)
	if err != nil {
		return nil, err
	}
	defer letGo(holders)
	if err := process.Sleep(ctx, r.Every); err != nil { // the handshakes' garbage is not what a request costs
		return nil, err
	}
	cpu, begun := cpuOf(servers), time.Now()
	if err := process.Sleep(ctx, r.Every); err != nil {
		return nil, err
	}
	used, took, full := cpuOf(servers)-cpu, time.Since(begun), resident(servers)
	n := r.each * r.processes
	r.Progress("%s, %s: %d KB before, %d KB with %d connections, %s of CPU in %s", s.name, s.kind, empty/1024, full/1024, n, used, took)
	var all held
	for _, h := range holders {
		one, err := h.end()
		if err != nil {
			return nil, err
		}
		all.Answers, all.Failed = all.Answers+one.Answers, all.Failed+one.Failed
		all.P50, all.P99 = max(all.P50, one.P50), max(all.P99, one.P99) // the slowest process's
	}
	requests := float64(n) * took.Seconds() / r.Every.Seconds()
	return []string{
		s.name, s.kind, perConnection(full-empty, n), table.Thousands(requests / took.Seconds()), table.Microseconds(float64(used) / requests),
		fmt.Sprintf("%.1f %%", used.Seconds()/took.Seconds()*100), table.ShortDuration(float64(all.P50)), table.ShortDuration(float64(all.P99)), fmt.Sprint(all.Failed),
	}, nil
}

// cpuOf is the CPU time that several servers have used together.
func cpuOf(servers []*process.Process) (total time.Duration) {
	for _, p := range servers {
		total += p.CPU()
	}
	return total
}
