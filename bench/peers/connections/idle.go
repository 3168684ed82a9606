// Package connections compares the cost of connections: idle ones, ones with a request a minute, and TLS handshakes.
package connections

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
	"jobgate/bench/report"
)

const settle = 20 * time.Second // from the last connection to the measurement

// The kinds of connections.
const (
	plainKind = "plain"
	tlsKind   = "TLS"
	mtlsKind  = "mTLS" // each connection with its own certificate
)

// idleServer is one row of Idle.
type idleServer struct {
	name, kind string
	start      func() (*process.Process, int, error)
	goal       string
}

// selected reports whether -only names the server, its kind, or both: "jobgate", "mTLS", "jobgate, TLS".
func (s *idleServer) selected(o *setup.Options) bool {
	return strings.Contains(s.name+", "+s.kind, o.Only)
}

// idleServers are all compared servers, including the program of -before if given.
func idleServers(o *setup.Options, each int) (all []idleServer) {
	goals := map[string]string{plainKind: "≤ 2.5 KB", tlsKind: "≤ 12 KB", mtlsKind: "≤ 16 KB"}
	for _, kind := range []string{plainKind, tlsKind, mtlsKind} {
		s := server.Settings{TLS: kind != plainKind, Connections: each + process.SpareFiles/2}
		if kind == mtlsKind {
			s.Auth = "mtls"
		}
		if o.Before != "" {
			own := *o
			own.Jobgate = o.Before
			all = append(all, idleServer{"before", kind, func() (*process.Process, int, error) { return server.StartJobgate(&own, o.ServerCore, s) }, ""})
		}
		all = append(all,
			idleServer{"jobgate", kind, func() (*process.Process, int, error) { return server.StartJobgate(o, o.ServerCore, s) }, goals[kind]},
			idleServer{"nginx", kind, func() (*process.Process, int, error) { return server.StartNginx(o, o.ServerCore, "nginx-file.conf", s) }, ""})
	}
	return all
}

// newIdleRun distributes the connections over as many processes of each server as the limit on open files requires.
func newIdleRun(ctx context.Context, o *setup.Options) (*idleRun, error) {
	files, err := process.RaiseFiles(uint64(o.Idle) + process.SpareFiles)
	if err != nil {
		return nil, err
	}
	most := int(files) - process.SpareFiles // connections of one process
	r := &idleRun{Options: o, files: files, processes: (o.Idle + most - 1) / most}
	r.each = o.Idle / r.processes
	for _, prepare := range []func() error{
		func() error { return server.BareAnswer(ctx, o) },
		func() error { return certificates.WriteServer(o.Folder) },
		func() error { return certificates.WriteAuthority(o.Folder) },
		func() error { return certificates.WriteDevice(o.Folder) },
	} {
		if err := prepare(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// head prints the title and how the connections are distributed.
func (r *idleRun) head(title string) {
	fmt.Printf("## %s %s\n\n", table.Thousands(float64(r.each*r.processes)), title)
	if r.processes > 1 {
		fmt.Printf("A process may open %s files here (ulimit -Hn; raising it takes CAP_SYS_RESOURCE), so %d processes of each server share the connections. The active ones use the first.\n", table.Thousands(float64(r.files)), r.processes)
	}
}

// Idle opens many connections, sends a request on each and keeps them open. It measures the server's memory per
// connection and the latency of active connections meanwhile.
func Idle(ctx context.Context, o *setup.Options) error {
	r, err := newIdleRun(ctx, o)
	if err != nil {
		return err
	}
	r.head("idle connections")
	fmt.Printf("Each sent one request and stays open; memory is the growth of the server's resident set, %s after the last one. With mTLS each has its own certificate.\nThe kernel's own memory for the sockets comes on top and is the same for all. At its start, nginx allocates 0.4 KB for each connection it may have.\n\n", settle)
	t := table.New("<server", "<", "memory per connection", "<goal", "resident before", "with them", "after they have left", "active p50, p99 before", "meanwhile")
	for _, s := range idleServers(o, r.each) {
		if !s.selected(o) {
			continue
		}
		row, err := r.row(ctx, s)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", s.name, s.kind, err)
		}
		t.Add(row...)
	}
	fmt.Print(t)
	return nil
}

// idleRun is a comparison in progress.
type idleRun struct {
	*setup.Options
	files     uint64 // limit on a process's open files
	processes int    // of each server
	each      int    // connections per process
}

// startServers starts the processes of a server and waits until they listen.
func (r *idleRun) startServers(ctx context.Context, s idleServer) (servers []*process.Process, ports []int, err error) {
	for range r.processes {
		p, port, err := s.start()
		if err == nil {
			servers, ports = append(servers, p), append(ports, port)
			err = process.Listens(ctx, port)
		}
		if err != nil {
			stopAll(servers)
			return nil, nil, err
		}
	}
	return servers, ports, nil
}

func stopAll(servers []*process.Process) {
	for _, p := range servers {
		p.Stop()
	}
}

// hold opens the connections to the processes of a server. Each repeats its request at an interval, unless that is 0.
func (r *idleRun) hold(ctx context.Context, s idleServer, ports []int, every time.Duration) (holders []*holder, err error) {
	for _, port := range ports {
		what := holding{Port: port, Connections: r.each, TLS: s.kind != plainKind, Every: every}
		if s.kind == mtlsKind {
			what.Folder = r.Folder
		}
		h, err := holdConnections(ctx, r.Options, what)
		if err != nil {
			stopHolders(holders)
			return nil, err
		}
		holders = append(holders, h)
	}
	return holders, nil
}

func stopHolders(holders []*holder) {
	for _, h := range holders {
		h.Stop()
	}
}

// row measures one server.
func (r *idleRun) row(ctx context.Context, s idleServer) ([]string, error) {
	servers, ports, err := r.startServers(ctx, s)
	if err != nil {
		return nil, err
	}
	defer stopAll(servers)
	before, err := r.active(ctx, s, ports[0])
	if err != nil {
		return nil, err
	}
	if err := process.Sleep(ctx, settle); err != nil {
		return nil, err
	}
	empty := resident(servers)
	holders, err := r.hold(ctx, s, ports, 0)
	if err != nil {
		return nil, err
	}
	defer func() { stopHolders(holders) }()
	if err := process.Sleep(ctx, settle); err != nil {
		return nil, err
	}
	full := resident(servers)
	n := r.each * r.processes
	r.Progress("%s, %s: %d KB before, %d KB with %d connections", s.name, s.kind, empty/1024, full/1024, n)
	meanwhile, err := r.active(ctx, s, ports[0])
	if err != nil {
		return nil, err
	}
	stopHolders(holders)
	holders = nil
	if err := process.Sleep(ctx, settle); err != nil {
		return nil, err
	}
	return []string{s.name, s.kind, perConnection(full-empty, n), s.goal, table.InMegabytes(empty), table.InMegabytes(full), table.InMegabytes(resident(servers)), before, meanwhile}, nil
}

func perConnection(grown int64, n int) string {
	return fmt.Sprintf("%.1f KB", float64(grown)/float64(n)/1024)
}

// url returns the URL of a server process on port.
func (s idleServer) url(port int) string {
	if s.kind != plainKind {
		return fmt.Sprintf("https://127.0.0.1:%d/hot", port)
	}
	return process.URL(port, "/hot")
}

// resident returns the total resident memory of several servers.
func resident(servers []*process.Process) (total int64) {
	for _, p := range servers {
		total += p.RSS()
	}
	return total
}

// active returns the latency under a moderate load, as text.
func (r *idleRun) active(ctx context.Context, s idleServer, port int) (string, error) {
	res, err := r.activeFor(ctx, s, port, time.Second, r.Length)
	if err != nil {
		return "", err
	}
	return p50p99(res), nil
}

// p50p99 returns the latency of a load, as text.
func p50p99(res *report.Result) string {
	if res.Generator.Limited != "" {
		return "not measured"
	}
	return table.ShortDuration(float64(res.Latency.Percentile(50))) + ", " + table.ShortDuration(float64(res.Latency.Percentile(99)))
}

// activeFor runs a moderate load for length after a warm-up.
func (r *idleRun) activeFor(ctx context.Context, s idleServer, port int, warmup, length time.Duration) (*report.Result, error) {
	args := []string{"--rate", "1000/s", "--connections", "32", "--duration", length.String(), "--warmup", warmup.String(), "--insecure"}
	if s.kind == mtlsKind {
		args = append(args, "--cert-file", filepath.Join(r.Folder, "device.pem"), "--key-file", filepath.Join(r.Folder, "device-key.pem"))
	}
	return load.Bench(ctx, r.Options, append(args, s.url(port))...)
}
