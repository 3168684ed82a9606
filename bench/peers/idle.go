package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	spare  = 100              // descriptors that are not idle connections, on either side
	settle = 10 * time.Second // from the last connection to the measurement
)

// raiseFiles lets this process and those that it starts open n files each, as far as
// the machine allows, and returns how many it allows.
func raiseFiles(n uint64) (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("cannot ask for the limit of open files: %w", err)
	}
	want := syscall.Rlimit{Cur: max(n, limit.Max), Max: max(n, limit.Max)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want); err != nil { // only root may raise the maximum
		want = syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want); err != nil {
			return 0, fmt.Errorf("cannot raise the limit of open files: %w", err)
		}
	}
	return want.Cur, nil
}

// idleServer is one row of compareIdle.
type idleServer struct {
	name  string
	tls   bool
	start func() (*process, int, error)
	goal  string
}

// compareIdle opens many connections, asks once on each and leaves them open: how much
// memory does the server hold for each, and what do the active ones notice?
func compareIdle(ctx context.Context, o *options) error {
	files, err := raiseFiles(uint64(o.idle) + spare)
	if err != nil {
		return err
	}
	most := int(files) - spare // connections of one process
	r := idleRun{options: o, processes: (o.idle + most - 1) / most}
	r.each = o.idle / r.processes
	if err := o.bareAnswer(ctx); err != nil {
		return err
	}
	if err := writeCertificate(o.folder); err != nil {
		return err
	}
	var servers []idleServer
	for _, secure := range []bool{false, true} {
		gate := func(memory string) func() (*process, int, error) {
			return func() (*process, int, error) {
				return startJobgate(o, o.serverCore, settings{Memory: memory, TLS: secure})
			}
		}
		goals := []string{"≤ 20 KB", "≤ 8 KB"}
		if secure {
			goals = []string{"", ""}
		}
		servers = append(servers,
			idleServer{"jobgate", secure, gate("normal"), goals[0]},
			idleServer{"jobgate, memory: low", secure, gate("low"), goals[1]},
			idleServer{"nginx", secure, func() (*process, int, error) {
				return startNginx(o, o.serverCore, "nginx-file.conf", settings{TLS: secure, Connections: r.each + spare/2})
			}, ""})
	}
	n := r.each * r.processes
	fmt.Printf("## %s idle connections\n\n", thousands(float64(n)))
	if r.processes > 1 {
		fmt.Printf("A process may open %s files here (ulimit -Hn), and raising that takes CAP_SYS_RESOURCE: %d processes of each server share them. The active ones ask the first.\n", thousands(float64(files)), r.processes)
	}
	fmt.Printf("Each asked once and stays open; memory is the growth of the server's resident set, %s after the last one.\nThe kernel's own memory for the sockets comes on top and is the same for all. nginx allocates 0.4 KB for each connection that it may have at its start.\n\n", settle)
	t := newTable("<server", "<", "memory per connection", "<goal", "resident before", "with them", "active p50, p99 before", "meanwhile")
	for _, s := range servers {
		if !strings.Contains(s.name, o.only) {
			continue
		}
		row, err := r.row(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		t.add(row...)
	}
	fmt.Print(t)
	return nil
}

// idleRun is the comparison under way.
type idleRun struct {
	*options
	processes int // of each server
	each      int // connections of each of them
}

// row measures one server.
func (r *idleRun) row(ctx context.Context, s idleServer) ([]string, error) {
	var servers []*process
	var ports []int
	for range r.processes {
		p, port, err := s.start()
		if err != nil {
			return nil, err
		}
		defer p.stop()
		if _, err := p.answer(ctx, s.url(port)); err != nil {
			return nil, err
		}
		servers, ports = append(servers, p), append(ports, port)
	}
	before, err := active(ctx, r.options, s.url(ports[0]))
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, settle); err != nil {
		return nil, err
	}
	empty := resident(servers)
	for _, port := range ports {
		h, err := holdConnections(ctx, r.options, holding{Port: port, Connections: r.each, TLS: s.tls})
		if err != nil {
			return nil, err
		}
		defer h.stop()
	}
	if err := sleep(ctx, settle); err != nil {
		return nil, err
	}
	full := resident(servers)
	n := r.each * r.processes
	r.progress("%s, TLS %t: %d KB before, %d KB with %d connections", s.name, s.tls, empty/1024, full/1024, n)
	meanwhile, err := active(ctx, r.options, s.url(ports[0]))
	if err != nil {
		return nil, err
	}
	kind := map[bool]string{false: "plain", true: "TLS"}[s.tls]
	size := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
	each := fmt.Sprintf("%.1f KB", float64(full-empty)/float64(n)/1024)
	return []string{s.name, kind, each, s.goal, size(empty), size(full), before, meanwhile}, nil
}

// url is where a process of the server answers.
func (s idleServer) url(port int) string {
	if s.tls {
		return fmt.Sprintf("https://127.0.0.1:%d/hot", port)
	}
	return local(port, "/hot")
}

// resident is the resident memory of several servers together.
func resident(servers []*process) (total int64) {
	for _, p := range servers {
		total += p.rss()
	}
	return total
}

// active is the latency of a moderate load, as words.
func active(ctx context.Context, o *options, url string) (string, error) {
	r, err := bench(ctx, o, "--rate", "1000/s", "--connections", "32", "--duration", o.length.String(), "--warmup", "1s", "--insecure", url)
	if err != nil {
		return "", err
	}
	if r.Generator.Limited != "" {
		return "not measured", nil
	}
	return shortDuration(float64(r.Latency.Percentile(50))) + ", " + shortDuration(float64(r.Latency.Percentile(99))), nil
}

// bareAnswer puts jobgate's answer where nginx and the bare servers find it.
func (o *options) bareAnswer(ctx context.Context) error {
	p, port, err := startJobgate(o, o.serverCore, settings{})
	if err != nil {
		return err
	}
	defer p.stop()
	hot, err := p.answer(ctx, local(port, "/hot"))
	if err != nil {
		return err
	}
	return os.WriteFile(o.static(bareFile), hot, 0o644) // for nginx's worker
}
