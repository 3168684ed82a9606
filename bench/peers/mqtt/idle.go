package mqtt

import (
	"context"
	"fmt"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

const settle = 20 * time.Second // from the last packet to the measurement

// mosquittoVersion returns the broker's name and version.
func mosquittoVersion() string { return setup.Output("mosquitto", "-h") }

// contender is one row of idle.
type contender struct {
	name, goal string
	start      func(context.Context, server.Settings) (*process.Process, int, error)
}

// plain measures idle connections over plain TCP.
func (r *run) plain(ctx context.Context) error { return r.idle(ctx, false, "≤ 2.5 KB") }

// secure measures idle connections over TLS.
func (r *run) secure(ctx context.Context) error { return r.idle(ctx, true, "≤ 13 KB") }

// idle measures the memory of an idle connection.
func (r *run) idle(ctx context.Context, secure bool, goal string) error {
	kind := map[bool]string{false: "plain", true: "TLS"}[secure]
	r.head("idle MQTT connections, " + kind)
	fmt.Printf("%s. Two subscriptions each, to `notify-next` and `$next/get/accepted`; memory is the growth of the server's resident set, %s after the last packet.\n\n", mosquittoVersion(), settle)
	t := table.New("<server", "memory per connection", "<goal", "resident before", "with them", "after they have left")
	for _, c := range []contender{
		{"jobgate", goal, func(ctx context.Context, s server.Settings) (*process.Process, int, error) {
			g, err := r.start(ctx, s)
			if err != nil {
				return nil, 0, err
			}
			return g.Process, g.MQTT, nil
		}},
		{"mosquitto", "", func(ctx context.Context, s server.Settings) (*process.Process, int, error) {
			return server.StartMosquitto(ctx, r.Options, s)
		}},
	} {
		row, err := r.idleRow(ctx, c, secure)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", c.name, kind, err)
		}
		t.Add(row...)
	}
	fmt.Print(t)
	return nil
}

func (r *run) idleRow(ctx context.Context, c contender, secure bool) ([]string, error) {
	n, each := r.processes()
	servers, ports := []*process.Process{}, []int{}
	defer func() {
		for _, p := range servers {
			p.Stop()
		}
	}()
	for range n {
		p, port, err := c.start(ctx, server.Settings{TLS: secure})
		if err != nil {
			return nil, err
		}
		servers, ports = append(servers, p), append(ports, port)
	}
	if err := process.Sleep(ctx, settle); err != nil {
		return nil, err
	}
	empty := resident(servers)
	devices, err := r.holdAll(ctx, ports, each, secure)
	if err != nil {
		return nil, err
	}
	err = process.Sleep(ctx, settle)
	full := resident(servers)
	devices.stop()
	if err != nil {
		return nil, err
	}
	if err := process.Sleep(ctx, settle); err != nil {
		return nil, err
	}
	grown := float64(full-empty) / float64(n*each) / 1024
	r.Progress("%s, TLS %t: %.2f KB a connection, %d KB before", c.name, secure, grown, empty/1024)
	return []string{c.name, fmt.Sprintf("%.1f KB", grown), c.goal, table.InMegabytes(empty), table.InMegabytes(full), table.InMegabytes(resident(servers))}, nil
}

// holdAll opens each connections to each of the ports, every one as a different thing.
func (r *run) holdAll(ctx context.Context, ports []int, each int, secure bool) (all holders, err error) {
	for i, port := range ports {
		h, err := hold(ctx, r.Options, Hold{Port: port, Connections: each, Group: group, First: i * each, Digits: r.digits(), TLS: secure})
		if err != nil {
			all.stop()
			return nil, err
		}
		all = append(all, h)
	}
	return all, nil
}

// resident returns the total resident memory of several servers.
func resident(servers []*process.Process) (total int64) {
	for _, p := range servers {
		total += p.RSS()
	}
	return total
}
