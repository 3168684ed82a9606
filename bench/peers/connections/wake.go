package connections

import (
	"context"
	"fmt"
	"strings"
	"time"

	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

// The two groups of Wake's connections and the intervals of their requests. Both groups have the same rate, but only the
// larger is silent for more than ten seconds between requests and so is parked.
const (
	parkedConnections = 4800
	parkedEvery       = 15 * time.Second
	awakeConnections  = 320
	awakeEvery        = time.Second
)

// Wake measures how much longer a request on a parked connection takes than one on a connection that is used every
// second, at the same time.
func Wake(ctx context.Context, o *setup.Options) error {
	if err := certificates.WriteServer(o.Folder); err != nil {
		return err
	}
	if err := certificates.WriteAuthority(o.Folder); err != nil {
		return err
	}
	fmt.Printf("## Requests of parked connections\n\n%s connections send a request every %s and are parked in between, %d send one every %s and are not parked: %d requests a second from each group at the same time. Server on core %d, clients on core %d.\n\n",
		table.Thousands(parkedConnections), parkedEvery, awakeConnections, awakeEvery, int(parkedConnections/parkedEvery.Seconds()), o.ServerCore, o.LoadCore)
	t := table.New("<", "parked", "requests of either", "not parked: p50, p99", "parked: p50, p99", "p50 more", "<goal", "p99 more", "<goal", "failed")
	for _, kind := range []string{plainKind, tlsKind, mtlsKind} {
		if !strings.Contains(kind, o.Only) {
			continue
		}
		row, err := wakeRow(ctx, o, kind)
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		t.Add(row...)
	}
	fmt.Print(t)
	return nil
}

// wakeRow measures one kind of connection.
func wakeRow(ctx context.Context, o *setup.Options, kind string) ([]string, error) {
	s := server.Settings{TLS: kind != plainKind}
	folder := ""
	if kind == mtlsKind {
		s.Auth, folder = "mtls", o.Folder
	}
	var err error
	if s.Admin, err = process.FreePort(); err != nil {
		return nil, err
	}
	p, port, err := server.StartJobgate(o, o.ServerCore, s)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	if err := process.Listens(ctx, port); err != nil {
		return nil, err
	}
	var holders []*holder
	defer func() { stopHolders(holders) }()
	for _, what := range []holding{
		{Connections: parkedConnections, Every: parkedEvery, Uncounted: parkedEvery}, // not parked before the first interval
		{Connections: awakeConnections, Every: awakeEvery, Uncounted: awakeEvery},
	} {
		what.Port, what.TLS, what.Folder = port, s.TLS, folder
		h, err := holdConnections(ctx, o, what)
		if err != nil {
			return nil, err
		}
		holders = append(holders, h)
	}
	if err := process.Sleep(ctx, 3*parkedEvery); err != nil {
		return nil, err
	}
	parked, err := process.Metric(ctx, s.Admin, "jobgate_connections", `state="parked"`)
	if err != nil {
		return nil, err
	}
	var both []held
	for _, h := range holders {
		one, err := h.end()
		if err != nil {
			return nil, err
		}
		both = append(both, one)
	}
	holders = nil
	asleep, awake := both[0], both[1]
	return []string{
		kind, table.Thousands(parked), table.Thousands(float64(min(asleep.Answers, awake.Answers))), percentiles(awake), percentiles(asleep),
		table.ShortDuration(float64(asleep.P50 - awake.P50)), "≤ 150 µs", table.ShortDuration(float64(asleep.P99 - awake.P99)), "≤ 1 ms",
		fmt.Sprint(asleep.Failed + awake.Failed),
	}, nil
}

func percentiles(h held) string {
	return table.ShortDuration(float64(h.P50)) + ", " + table.ShortDuration(float64(h.P99))
}
