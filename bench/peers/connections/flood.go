package connections

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
	"jobgate/bench/report"
)

const (
	floodConnections = 30_000
	floodProcesses   = 3
	floodLimit       = 10_000           // limits.max_connections in the rows that set it
	floodBuilds      = 15 * time.Second // until all connections were opened and the first were closed
	floodLasts       = 20 * time.Second
	floodAgain       = 10 * time.Second // from a connection's closing until it is reopened
)

// Floods opens connections that send no request or an incomplete one, and reopens them when they are closed. Do the
// limits hold, and does the server still answer the connected devices?
//
//	devices send 1,000/s ─▶ three processes flood ─▶ latency, open connections, memory
func Floods(ctx context.Context, o *setup.Options) error {
	if err := certificates.WriteServer(o.Folder); err != nil {
		return err
	}
	fmt.Printf("## %s connections without complete requests\n\nA third sends nothing, a third half a request or ClientHello, a third one byte of it every second; each reconnects %s after it was closed.\nDevices send 1,000 requests a second on 32 connections; latency is measured over %s of the flood, from the intended send. Server on core %d, devices and, at a lower priority, flood on core %d.\n\n",
		table.Thousands(floodConnections), floodAgain, floodLasts, o.ServerCore, o.LoadCore)
	t := table.New("<", "max_connections", "open at most", "opened", "refused", "devices: p50, p99", "<goal", "p99 from the send", "p99 sent late", "server's core", "resident before", "in the flood", "a connection", "20s after")
	for _, kind := range []string{plainKind, tlsKind} {
		for _, limit := range []int{0, floodLimit} {
			if !strings.Contains(kind, o.Only) {
				continue
			}
			row, err := floodRow(ctx, o, kind, limit)
			if err != nil {
				return fmt.Errorf("%s, limit %d: %w", kind, limit, err)
			}
			t.Add(row...)
		}
	}
	fmt.Print(t)
	return nil
}

// floodRow measures one kind of connection under one limit.
func floodRow(ctx context.Context, o *setup.Options, kind string, limit int) ([]string, error) {
	s := idleServer{kind: kind}
	settings := server.Settings{TLS: kind != plainKind, MaxConnections: limit}
	var err error
	if settings.Admin, err = process.FreePort(); err != nil {
		return nil, err
	}
	if _, err := process.RaiseFiles(floodConnections + process.SpareFiles); err != nil {
		return nil, err
	}
	p, port, err := server.StartJobgate(o, o.ServerCore, settings)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	if err := process.Listens(ctx, port); err != nil {
		return nil, err
	}
	run := idleRun{Options: o}
	if _, err := run.activeFor(ctx, s, port, time.Second, time.Second); err != nil { // allocates what the devices need
		return nil, err
	}
	empty := p.RSS()
	var devices *report.Result
	var failed error
	var asking sync.WaitGroup
	asking.Go(func() { devices, failed = run.activeFor(ctx, s, port, floodBuilds, floodLasts) })
	cpu, begun := p.CPU(), time.Now()
	most, full, sum, err := flooded(ctx, o, p, settings, port)
	busy := (p.CPU() - cpu).Seconds() / time.Since(begun).Seconds()
	asking.Wait()
	if failed != nil || err != nil {
		return nil, fmt.Errorf("devices: %w; flood: %w", failed, err)
	}
	if err := process.Sleep(ctx, settle); err != nil {
		return nil, err
	}
	allowed := "default"
	if limit > 0 {
		allowed = table.Thousands(float64(limit))
	}
	return []string{
		kind, allowed, table.Thousands(most), table.Thousands(float64(sum.Opened)), table.Thousands(float64(sum.Refused)), p50p99(devices), "p99 ≤ 5 ms",
		table.ShortDuration(float64(devices.Service.Percentile(99))), table.ShortDuration(float64(devices.Lag.Percentile(99))), table.Percent(busy),
		table.InMegabytes(empty), table.InMegabytes(full), perConnection(full-empty, int(most)), table.InMegabytes(p.RSS()),
	}, nil
}

// flooded floods the server until the devices have ended, and returns the server's maximum connections and memory.
func flooded(ctx context.Context, o *setup.Options, p *process.Process, s server.Settings, port int) (most float64, full int64, sum held, err error) {
	if err := process.Sleep(ctx, time.Second); err != nil { // the devices are connected
		return 0, 0, sum, err
	}
	var holders []*holder
	defer func() { stopHolders(holders) }()
	for i := range floodProcesses {
		n := floodConnections / floodProcesses
		h, err := holdConnections(ctx, o, holding{Port: port, Connections: n, TLS: s.TLS, Flood: true, Every: floodBuilds / 2, Again: floodAgain, First: (1 + i) * n})
		if err != nil {
			return 0, 0, sum, err
		}
		holders = append(holders, h)
	}
	for end := time.Now().Add(floodBuilds + floodLasts - 2*time.Second); time.Now().Before(end); {
		if err := process.Sleep(ctx, 500*time.Millisecond); err != nil {
			return 0, 0, sum, err
		}
		n, err := process.Metric(ctx, s.Admin, "jobgate_connections", `listener="listen"`)
		if err != nil {
			return 0, 0, sum, err
		}
		most, full = max(most, n), max(full, p.RSS())
	}
	for len(holders) > 0 {
		one, err := holders[0].end()
		if err != nil {
			return 0, 0, sum, err
		}
		holders = holders[1:]
		sum.Opened, sum.Refused = sum.Opened+one.Opened, sum.Refused+one.Refused
	}
	return most, full, sum, nil
}

// flood opens connections that never send a complete request, until ctx ends, and reopens each that was closed.
func (h *holding) flood(ctx context.Context) (r held) {
	var opened, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range h.Connections {
		wg.Go(func() {
			_ = process.Sleep(ctx, time.Duration(i)*h.Every/time.Duration(h.Connections))
			for ctx.Err() == nil {
				c, err := process.FromSource(h.First+i).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", h.Port))
				if err == nil {
					opened.Add(1)
					h.stall(ctx, c, i%3)
				} else {
					refused.Add(1)
				}
				_ = process.Sleep(ctx, h.Again)
			}
		})
	}
	wg.Wait()
	r.Opened, r.Refused = opened.Load(), refused.Load()
	return r
}

// stall keeps a connection until the server closes it: silent (how 0), after half a message (1), or sending the rest a
// byte a second (2).
func (h *holding) stall(ctx context.Context, c net.Conn, how int) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer func() {
		stop()
		_ = c.Close()
	}()
	begin := "GET /hot HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
	if h.TLS {
		begin = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	}
	if how > 0 {
		if _, err := c.Write([]byte(begin)); err != nil {
			return
		}
	}
	b := make([]byte, 256)
	for {
		if how == 2 {
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
		}
		_, err := c.Read(b)
		if late, ok := err.(net.Error); ok && late.Timeout() {
			_, err = c.Write([]byte("x"))
		}
		if err != nil {
			return
		}
	}
}
