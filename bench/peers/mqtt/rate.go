package mqtt

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"jobgate/bench/peers/gate"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
)

const (
	manyInFlight = 16  // messages in flight on a connection, in the runs with more than one
	updaters     = 256 // connections that send updates
)

// rate compares jobgate's requests a second with the messages a second that mosquitto forwards, and updates over MQTT
// with those over HTTP.
func (r *run) rate(ctx context.Context) error {
	g, err := r.start(ctx, server.Settings{})
	if err != nil {
		return err
	}
	defer g.Stop()
	if _, err := g.CreateJob(ctx, gate.JobFleet, group, gate.PlainDocument); err != nil {
		return err
	}
	if err := g.Queued(ctx, gate.JobFleet, r.Idle); err != nil {
		return err
	}
	broker, port, err := server.StartMosquitto(ctx, r.Options, server.Settings{})
	if err != nil {
		return err
	}
	defer broker.Stop()
	fmt.Printf("## MQTT: requests a second\n\n%s. Server on core %d, clients on core %d; MQTT 3.1.1, QoS 1 both ways, jobs on SQLite. A request of jobgate's is a\nPUBLISH with its PUBACK and the answer with its PUBACK; one of mosquitto's is a message from one client to the next, with the same two PUBACKs.\n\n",
		mosquittoVersion(), r.ServerCore, r.LoadCore)
	ask := Load{Port: g.MQTT, Connections: r.Connections, Window: 1, Length: r.Length, Group: group, Digits: r.digits(), Ask: "$next/get"}
	sample := ask
	sample.Length = 200 * time.Millisecond
	first, err := play(ctx, r.Options, sample)
	if err != nil {
		return err
	}
	relay := Load{Port: port, Connections: r.Connections, Length: r.Length, Size: first.Size}
	for _, window := range []int{1, manyInFlight} {
		ask.Window, relay.Window = window, window
		all := []*rounds.Contestant{
			rounds.Against(r.contestant(fmt.Sprintf("mosquitto, %d bytes from one client to another", first.Size), broker, relay)),
			rounds.Aiming("≥ 1.0", r.contestant(fmt.Sprintf("jobgate, `$next/get` with the job, %d bytes", first.Size), g.Process, ask)),
		}
		if err := rounds.Take(ctx, r.Options, all); err != nil {
			return err
		}
		rounds.Print(fmt.Sprintf("`$next/get`: %d connections, %d on their way on each", r.Connections, window), all)
	}
	return r.updates(ctx, g)
}

// contestant runs a load over MQTT in each turn.
func (r *run) contestant(name string, p *process.Process, l Load) *rounds.Contestant {
	return &rounds.Contestant{Name: name, Server: p, Run: func(ctx context.Context) (rounds.Turn, error) {
		got, err := play(ctx, r.Options, l)
		if err != nil {
			return rounds.Turn{}, err
		}
		r.Progress("the load's core: %.0f %%", got.CPU*100)
		return rounds.Turn{
			Rate: got.Rate, P50: got.P50, P99: got.P99, Good: got.All - got.Wrong, Failed: got.Wrong, CPU: time.Duration(got.CPU * 1e9 / got.Rate),
		}, nil
	}}
}

// updates compares updates over MQTT with those over HTTP, for the same things.
func (r *run) updates(ctx context.Context, g *gate.Gate) error {
	o := *r.Options
	o.Connections = min(updaters, r.Idle)
	members := strings.TrimSuffix(strings.TrimPrefix(load.UpdateBody, "{"), "}")
	over := Load{
		Port: g.MQTT, Connections: o.Connections, Window: 1, Length: r.Length, Group: group, Digits: r.digits(),
		Ask: gate.JobFleet + "/update", Body: "," + members,
	}
	// The same things: the first ones, whose numbers begin with zeros.
	few := load.ThingName("", o.Connections, 0)
	script := load.DeviceScript(group+strings.Repeat("0", r.digits()-len(few)), o.Connections, "/jobs/"+gate.JobFleet, http.MethodPost, load.UpdateBody)
	all := []*rounds.Contestant{
		rounds.Against(&rounds.Contestant{Name: "jobgate, HTTP", Server: g.Process, Run: func(ctx context.Context) (rounds.Turn, error) {
			return load.WrkWithCPU(ctx, &o, process.URL(g.Port, ""), script)
		}}),
		rounds.Aiming("≥ 0.9", r.contestant("jobgate, MQTT", g.Process, over)),
	}
	if err := rounds.Take(ctx, r.Options, all); err != nil {
		return err
	}
	rounds.Print(fmt.Sprintf("update, on disk when answered: %d connections", o.Connections), all)
	return nil
}
