// Package load generates load from the load's core: with wrk and its scripts, with jobgate bench, and with a process of this
// program for connections with client certificates.
package load

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
)

// Asking returns a contestant whose turns run wrk against a server, on a path or with a script.
func Asking(o *setup.Options, e server.Endpoint, name, path, script string) *rounds.Contestant {
	return &rounds.Contestant{Name: name, Server: e.Process, Run: func(ctx context.Context) (rounds.Turn, error) {
		return Wrk(ctx, o, process.URL(e.Port, path), script)
	}}
}

var (
	wrkRate    = regexp.MustCompile(`(?m)^Requests/sec:\s+([0-9.]+)`)
	wrkLatency = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+(?:us|ms|s|m))$`)
	wrkTotal   = regexp.MustCompile(`(?m)^\s+([0-9]+) requests in `)
	wrkBad     = regexp.MustCompile(`Non-2xx or 3xx responses: ([0-9]+)`)
	wrkSocket  = regexp.MustCompile(`Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)`)
)

// Wrk measures one turn with one thread on the load's core.
func Wrk(ctx context.Context, o *setup.Options, url, script string) (rounds.Turn, error) {
	args := []string{"-c", strconv.Itoa(o.LoadCore), "wrk", "-t1", "-c" + strconv.Itoa(o.Connections), fmt.Sprintf("-d%.0fs", o.WrkLength().Seconds()), "--latency"}
	if script != "" {
		file, err := os.CreateTemp(o.Folder, "*.lua")
		if err != nil {
			return rounds.Turn{}, err
		}
		if _, err := file.WriteString(script); err != nil {
			return rounds.Turn{}, err
		}
		if err := file.Close(); err != nil {
			return rounds.Turn{}, err
		}
		args = append(args, "-s", file.Name())
	}
	text, err := exec.CommandContext(ctx, "taskset", append(args, url)...).CombinedOutput()
	if err != nil {
		return rounds.Turn{}, fmt.Errorf("wrk (Debian package wrk) at %s: %w\n%s", url, err, text)
	}
	return parseWrk(string(text))
}

// WrkWithCPU is Wrk and also measures wrk's own CPU time a request.
func WrkWithCPU(ctx context.Context, o *setup.Options, url, script string) (rounds.Turn, error) {
	before := childrenCPU()
	t, err := Wrk(ctx, o, url, script)
	if err == nil {
		t.CPU = time.Duration(float64(childrenCPU()-before) / (t.Rate * o.WrkLength().Seconds()))
	}
	return t, err
}

// childrenCPU returns the CPU time of exited child processes.
func childrenCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func parseWrk(text string) (t rounds.Turn, err error) {
	m := wrkRate.FindStringSubmatch(text)
	if m == nil {
		return t, fmt.Errorf("wrk printed no rate:\n%s", text)
	}
	if t.Rate, err = strconv.ParseFloat(m[1], 64); err != nil {
		return t, err
	}
	for _, m := range wrkLatency.FindAllStringSubmatch(text, -1) {
		d, err := time.ParseDuration(m[2])
		if err != nil {
			return t, err
		}
		if m[1] == "50" {
			t.P50 = d
		} else {
			t.P99 = d
		}
	}
	if m := wrkTotal.FindStringSubmatch(text); m != nil {
		if t.Good, err = strconv.ParseInt(m[1], 10, 64); err != nil {
			return t, err
		}
	}
	if m := wrkBad.FindStringSubmatch(text); m != nil {
		if t.Failed, err = strconv.ParseInt(m[1], 10, 64); err != nil {
			return t, err
		}
		t.Good -= t.Failed
	}
	for _, m := range wrkSocket.FindAllStringSubmatch(text, -1) {
		for _, number := range m[1:] {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return t, err
			}
			t.Failed += n
		}
	}
	return t, nil
}
