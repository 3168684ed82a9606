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

// mosquittoVersion names the broker.
func mosquittoVersion() string { return setup.Output("mosquitto", "-h") }

// contender is one row of idle.
type contender struct {
	name, goal string
	tls        bool
	start      func(context.Context, server.Settings) (*process.Process, int, error)
}

func (r *run) contenders() []contender {
	jobgate := func(ctx context.Context, s server.Settings) (*process.Process, int, error) {
		g, err := r.start(ctx, s)
		if err != nil {
			return nil, 0, err
		}
		return g.Process, g.MQTT, nil
	}
	mosquitto := func(ctx context.Context, s server.Settings) (*process.Process, int, error) {
		return server.StartMosquitto(ctx, r.Options, s)
	}
	return []contender{
		{"jobgate", "≤ 2.5 KB", false, jobgate},
		{"mosquitto", "", false, mosquitto},
		{"jobgate", "≤ 13 KB", true, jobgate},
		{"mosquitto", "", true, mosquitto},
	}
}

// idle measures what a connection takes that has nothing to say.
func (r *run) idle(ctx context.Context) error {
	r.head("idle MQTT connections")
	fmt.Printf("%s. Two subscriptions each, to `notify-next` and `$next/get/accepted`; memory is the growth of the server's resident set, %s after the last packet.\n\n", mosquittoVersion(), settle)
	t := table.New("<server", "<", "memory per connection", "<goal", "resident before", "with them", "after they have left")
	for _, c := range r.contenders() {
		row, err := r.idleRow(ctx, c)
		if err != nil {
			return fmt.Errorf("%s, TLS %t: %w", c.name, c.tls, err)
		}
		t.Add(row...)
	}
	fmt.Print(t)
	return nil
}

func (r *run) idleRow(ctx context.Context, c contender) ([]string, error) {
	n, each := r.processes()
	servers, ports := []*process.Process{}, []int{}
	defer func() {
		for _, p := range servers {
			p.Stop()
		}
	}()
	for range n {
		p, port, err := c.start(ctx, server.Settings{TLS: c.tls})
		if err != nil {
			return nil, err
		}
		servers, ports = append(servers, p), append(ports, port)
	}
	if err := process.Sleep(ctx, settle); err != nil {
		return nil, err
	}
	empty := resident(servers)
	devices, err := r.holdAll(ctx, ports, each, c.tls)
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
	kind := map[bool]string{false: "plain", true: "TLS"}[c.tls]
	grown := float64(full-empty) / float64(n*each) / 1024
	r.Progress("%s, %s: %.2f KB a connection, %d KB before", c.name, kind, grown, empty/1024)
	return []string{
		c.name, kind, fmt.Sprintf("%.1f KB", grown), c.goal, table.InMegabytes(empty), table.InMegabytes(full), table.InMegabytes(resident(servers)),
	}, nil
}

// holdAll opens so many connections to each of some ports, each to a thing of its own.
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

// resident is the resident memory of several servers together.
func resident(servers []*process.Process) (total int64) {
	for _, p := range servers {
		total += p.RSS()
	}
	return total
}
