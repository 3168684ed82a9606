package mqtt

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/table"
)

// notified measures how long a gateway takes to notify all devices of one job, in several rounds. First it uses one gateway
// with as many devices as it accepts. If these are not all, it then uses as many gateways as all devices need.
func (r *run) notified(ctx context.Context) error {
	n, each := r.processes()
	fmt.Printf("## Notifying %d things of one job\n\nServers on core %d, devices on core %d. A job for the group of all things; time is from the answer to CreateJob to the notify-next.\n\n", r.Idle, r.ServerCore, r.LoadCore)
	t := table.New("<gateways", "connected things", "half notified", "all notified", "<goal", "DeleteJob: all notified")
	g, err := r.start(ctx, server.Settings{})
	if err != nil {
		return err
	}
	row, err := r.notifiedRow(ctx, []*gate.Gate{g}, each)
	g.Stop()
	if err != nil {
		return err
	}
	t.Add(append([]string{"one on SQLite"}, row...)...)
	if n > 1 {
		if row, err = r.notifiedAcross(ctx, n, each); err != nil {
			return err
		}
		t.Add(append([]string{fmt.Sprintf("%d on one PostgreSQL", n)}, row...)...)
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds (lowest … highest).\n\n", r.Rounds)
	return nil
}

// notifiedAcross is notifiedRow with n gateways.
func (r *run) notifiedAcross(ctx context.Context, n, each int) ([]string, error) {
	db, err := r.startDatabase(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Remove()
	var gates []*gate.Gate
	defer func() {
		for _, g := range gates {
			g.Stop()
		}
	}()
	for range n {
		g, err := r.start(ctx, server.Settings{Store: db.URL(databaseName)})
		if err != nil {
			return nil, err
		}
		gates = append(gates, g)
	}
	return r.notifiedRow(ctx, gates, each)
}

// notifiedRow measures notices to each devices on each of the gateways. The first gateway creates the jobs.
func (r *run) notifiedRow(ctx context.Context, gates []*gate.Gate, each int) ([]string, error) {
	var ports []int
	for _, g := range gates {
		ports = append(ports, g.MQTT)
	}
	devices, err := r.holdAll(ctx, ports, each, false)
	if err != nil {
		return nil, err
	}
	defer devices.stop()
	var half, last, cleared []float64
	for round := range r.Rounds {
		id := fmt.Sprintf("notified-%d", round)
		if err := devices.expect(id); err != nil {
			return nil, err
		}
		if _, err := gates[0].CreateJob(ctx, id, group, gate.PlainDocument); err != nil {
			return nil, err
		}
		answered := time.Now().UnixNano()
		at, err := devices.collectAll()
		if err != nil {
			return nil, err
		}
		half, last = append(half, float64(at[len(at)/2]-answered)), append(last, float64(at[len(at)-1]-answered))
		r.Progress("%d devices: half are notified after %s, all after %s", len(at), table.ShortDuration(half[round]), table.ShortDuration(last[round]))
		if err := gates[0].Queued(ctx, id, r.Idle); err != nil {
			return nil, err
		}
		if err := devices.expect(""); err != nil {
			return nil, err
		}
		if err := gates[0].Call(ctx, http.MethodDelete, "/jobs/"+id+"?force=true", struct{}{}, nil); err != nil {
			return nil, err
		}
		answered = time.Now().UnixNano()
		if at, err = devices.collectAll(); err != nil {
			return nil, err
		}
		cleared = append(cleared, max(1, float64(at[len(at)-1]-answered)))
		if err := waitDeleted(ctx, gates[0], id); err != nil {
			return nil, err
		}
	}
	return []string{table.Thousands(float64(each * len(gates))), middle(half), middle(last), "≤ 2 s", middle(cleared)}, nil
}

// middle formats the median, the lowest and the highest.
func middle(v []float64) string {
	return fmt.Sprintf("%s (%s … %s)", table.ShortDuration(rounds.Median(slices.Clone(v))), table.ShortDuration(slices.Min(v)), table.ShortDuration(slices.Max(v)))
}

// waitDeleted waits until a job is deleted.
func waitDeleted(ctx context.Context, g *gate.Gate, id string) error {
	for {
		err := g.Call(ctx, http.MethodGet, "/jobs/"+id, struct{}{}, nil)
		if err != nil && strings.Contains(err.Error(), "404") {
			return nil
		} else if err != nil {
			return err
		}
		if err := process.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
