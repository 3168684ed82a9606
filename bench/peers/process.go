package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server that was started here and is stopped here.
type process struct {
	name string
	cmd  *exec.Cmd
	log  bytes.Buffer
	done chan struct{} // closed when it has ended
	err  error         // how; after done
}

// anyCore lets a process run on all cores: for work that is not measured.
const anyCore = -1

// start runs a program pinned to one core. Its output is kept for when it fails.
func start(name string, core int, environment []string, program string, args ...string) (*process, error) {
	p := &process{name: name, done: make(chan struct{})}
	if core == anyCore {
		p.cmd = exec.Command(program, args...)
	} else {
		p.cmd = exec.Command("taskset", append([]string{"-c", strconv.Itoa(core), program}, args...)...)
	}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = &p.log, &p.log, environment
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop ends the process, politely first.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.done:
	case <-time.After(30 * time.Second): // a large store takes its time to close
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// answer asks url until it answers 200, and returns the body.
func (p *process) answer(ctx context.Context, url string) ([]byte, error) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // the certificate was made for this run
		DisableKeepAlives: true,
	}}
	var last error
	for range 100 {
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s has ended: %w\n%s", p.name, errors.Join(p.err, last), &p.log)
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		resp, err := client.Get(url)
		if err != nil {
			last = err
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err == nil && resp.StatusCode == http.StatusOK {
			return body, nil
		}
		last = fmt.Errorf("%s, %w", resp.Status, err)
	}
	return nil, fmt.Errorf("%s does not answer at %s: %w", p.name, url, last)
}

// pids returns the process and its descendants: nginx serves from a child.
func (p *process) pids() []int { return family(p.cmd.Process.Pid) }

// family returns a process and its descendants.
func family(pid int) []int {
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", all[i], all[i]))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// rss returns the resident memory of the process and its descendants, in bytes. What
// nginx's processes share is counted twice; differences are what is of interest.
func (p *process) rss() int64 {
	var total int64
	for _, pid := range p.pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue
		}
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseInt(fields[1], 10, 64)
			total += pages * int64(os.Getpagesize())
		}
	}
	return total
}

// cpu returns the CPU time that the process and its descendants have used.
func (p *process) cpu() time.Duration { return familyCPU(p.cmd.Process.Pid) }

// familyCPU returns the CPU time that a process and its living descendants have used.
func familyCPU(pid int) (total time.Duration) {
	for _, pid := range family(pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		total += cpuFields(text, 11, 12)
	}
	return total
}

// cpuFields is the sum of two of the CPU times in the text of /proc/PID/stat, whose fields count from behind the name.
func cpuFields(stat []byte, user, system int) time.Duration {
	// The name is in parentheses and may hold blanks.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64
	for _, field := range []int{user, system} {
		n, _ := strconv.ParseInt(fields[field], 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100 on Linux
}

// freePort returns a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("cannot find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// startJobgate starts jobgate serve on a free port.
func startJobgate(o *options, core int, s settings) (*process, int, error) {
	var err error
	if s.Port, err = freePort(); err != nil {
		return nil, 0, err
	}
	if s.Admin == 0 {
		if s.Admin, err = freePort(); err != nil {
			return nil, 0, err
		}
	}
	if s.Memory == "" {
		s.Memory = "normal"
	}
	s.Folder = o.folder
	path, err := write(o.folder, "jobgate.yaml", fmt.Sprintf("jobgate-%d.yaml", s.Port), s)
	if err != nil {
		return nil, 0, err
	}
	p, err := start("jobgate", core, awsEnvironment(), o.jobgate, "serve", "--config", path)
	return p, s.Port, err
}

// startNginx starts nginx with one of the configurations on a free port.
func startNginx(o *options, core int, configuration string, s settings) (*process, int, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program = "/usr/sbin/nginx"; exec.Command(program, "-v").Run() != nil {
			return nil, 0, errors.New("nginx is not installed (Debian package nginx-light)")
		}
	}
	if s.Port, err = freePort(); err != nil {
		return nil, 0, err
	}
	s.Folder = o.folder
	if s.Connections == 0 {
		s.Connections = 20000
	}
	path, err := write(o.folder, configuration, fmt.Sprintf("nginx-%d.conf", s.Port), s)
	if err != nil {
		return nil, 0, err
	}
	p, err := start("nginx", core, os.Environ(), program, "-e", "stderr", "-c", path)
	return p, s.Port, err
}

// startPeer starts one of this program's own servers on a free port.
func startPeer(o *options, core int, name string) (*process, int, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, 0, err
	}
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	args := []string{servePeer, name, fmt.Sprintf("127.0.0.1:%d", port), o.folder}
	p, err := start(name, core, os.Environ(), self, args...)
	return p, port, err
}

// static returns where nginx's and the bare servers' files are.
func (o *options) static(name string) string { return filepath.Join(o.folder, "static", name) }
