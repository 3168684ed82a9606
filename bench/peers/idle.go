package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	perAddress = 20000            // connections from one source address: it has some 28,000 ports
	spare      = 100              // descriptors that are not idle connections, on either side
	settle     = 10 * time.Second // from the last connection to the measurement
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
	n := o.idle
	if uint64(n)+spare > files {
		n = int(files - spare)
		fmt.Printf("Only %s connections: a process may open %s files here (ulimit -Hn), and raising that takes CAP_SYS_RESOURCE.\n\n", thousands(float64(n)), thousands(float64(files)))
	}
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
				return startNginx(o, o.serverCore, "nginx-file.conf", settings{TLS: secure, Connections: n + spare/2})
			}, ""})
	}
	fmt.Printf("## %s idle connections\n\nEach asked once and stays open; memory is the growth of the server's resident set, %s after the last one.\nThe kernel's own memory for the sockets comes on top and is the same for all. nginx allocates 0.4 KB for each connection that it may have at its start.\n\n", thousands(float64(n)), settle)
	t := newTable("<server", "<", "memory per connection", "<goal", "resident before", "with them", "active p50, p99 before", "meanwhile")
	for _, s := range servers {
		if !strings.Contains(s.name, o.only) {
			continue
		}
		row, err := idleRow(ctx, o, s, n)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		t.add(row...)
	}
	fmt.Print(t)
	return nil
}

// idleRow measures one server.
func idleRow(ctx context.Context, o *options, s idleServer, n int) ([]string, error) {
	p, port, err := s.start()
	if err != nil {
		return nil, err
	}
	defer p.stop()
	scheme := map[bool]string{false: "http", true: "https"}[s.tls]
	url := fmt.Sprintf("%s://127.0.0.1:%d/hot", scheme, port)
	if _, err := p.answer(ctx, url); err != nil {
		return nil, err
	}
	before, err := active(ctx, o, url)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, settle); err != nil {
		return nil, err
	}
	empty := p.rss()
	conns, err := openIdle(ctx, port, n, s.tls)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close() // the server is stopped next
			}
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, settle); err != nil {
		return nil, err
	}
	full := p.rss()
	o.progress("%s, TLS %t: %d KB before, %d KB with %d connections", s.name, s.tls, empty/1024, full/1024, n)
	meanwhile, err := active(ctx, o, url)
	if err != nil {
		return nil, err
	}
	kind := map[bool]string{false: "plain", true: "TLS"}[s.tls]
	megabytes := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }
	each := fmt.Sprintf("%.1f KB", float64(full-empty)/float64(n)/1024)
	return []string{s.name, kind, each, s.goal, megabytes(empty), megabytes(full), before, meanwhile}, nil
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

// openIdle opens n connections and asks once on each.
func openIdle(ctx context.Context, port, n int, secure bool) ([]net.Conn, error) {
	conns := make([]net.Conn, n)
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i := range conns {
		slots <- struct{}{}
		mu.Lock()
		stop := failed != nil
		mu.Unlock()
		if stop || ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := askOnce(ctx, i, port, secure)
			conns[i] = c
			if err != nil {
				mu.Lock()
				failed = fmt.Errorf("connection %d: %w", i+1, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return conns, errors.Join(failed, ctx.Err())
}

// askOnce opens the i-th connection and asks on it. What it needed for that is
// garbage afterwards, but for the connection.
func askOnce(ctx context.Context, i, port int, secure bool) (net.Conn, error) {
	d := net.Dialer{
		Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/perAddress))}, KeepAlive: -1,
		Control: portAtConnect,
	}
	c, err := d.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, err
	}
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // the certificate was made for this run
	}
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return c, err
	}
	if _, err := io.WriteString(c, "GET /hot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return c, err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 4096), nil)
	if err != nil {
		return c, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return c, errors.Join(err, c.SetDeadline(time.Time{}))
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

// portAtConnect lets the kernel choose the port when it knows the target (ip(7),
// IP_BIND_ADDRESS_NO_PORT): one that was used for another server lately may then serve again.
func portAtConnect(_, _ string, c syscall.RawConn) error {
	const ipBindAddressNoPort = 24 // Linux; package syscall lacks it
	var set error
	err := c.Control(func(fd uintptr) { set = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipBindAddressNoPort, 1) })
	return errors.Join(err, set)
}
