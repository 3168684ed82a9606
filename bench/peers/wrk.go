package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

var (
	wrkRate    = regexp.MustCompile(`(?m)^Requests/sec:\s+([0-9.]+)`)
	wrkLatency = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+(?:us|ms|s|m))$`)
	wrkTotal   = regexp.MustCompile(`(?m)^\s+([0-9]+) requests in `)
	wrkBad     = regexp.MustCompile(`Non-2xx or 3xx responses: ([0-9]+)`)
	wrkSocket  = regexp.MustCompile(`Socket errors: connect ([0-9]+), read ([0-9]+), write ([0-9]+), timeout ([0-9]+)`)
)

// names is wrk's script for a different device in each request: the requests are made
// beforehand, so that wrk does no more work than for a single one.
const names = `
local requests, next = {}, 0
init = function()
  for i = 1, 10000 do requests[i] = wrk.format("GET", string.format("/things/thing-%06d/document", i)) end
end
request = function()
  next = next % 10000 + 1
  return requests[next]
end
`

// wrkLength is how long wrk's turn is: whole seconds.
func (o *options) wrkLength() time.Duration { return max(o.length.Round(time.Second), time.Second) }

// wrk measures one turn with one thread on the load's core.
func wrk(ctx context.Context, o *options, url, script string) (turn, error) {
	args := []string{"-c", strconv.Itoa(o.loadCore), "wrk", "-t1", "-c" + strconv.Itoa(o.connections), fmt.Sprintf("-d%.0fs", o.wrkLength().Seconds()), "--latency"}
	if script != "" {
		file, err := os.CreateTemp(o.folder, "*.lua")
		if err != nil {
			return turn{}, err
		}
		if _, err := file.WriteString(script); err != nil {
			return turn{}, err
		}
		if err := file.Close(); err != nil {
			return turn{}, err
		}
		args = append(args, "-s", file.Name())
	}
	text, err := exec.CommandContext(ctx, "taskset", append(args, url)...).CombinedOutput()
	if err != nil {
		return turn{}, fmt.Errorf("wrk (Debian package wrk) at %s: %w\n%s", url, err, text)
	}
	return parseWrk(string(text))
}

// wrkWithCPU is wrk, with what a request cost it.
func wrkWithCPU(ctx context.Context, o *options, url string) (turn, error) {
	before := childrenCPU()
	t, err := wrk(ctx, o, url, "")
	if err == nil {
		t.cpu = time.Duration(float64(childrenCPU()-before) / (t.rate * o.wrkLength().Seconds()))
	}
	return t, err
}

// childrenCPU is the CPU time of the processes that this one has waited for.
func childrenCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func parseWrk(text string) (t turn, err error) {
	m := wrkRate.FindStringSubmatch(text)
	if m == nil {
		return t, fmt.Errorf("wrk printed no rate:\n%s", text)
	}
	if t.rate, err = strconv.ParseFloat(m[1], 64); err != nil {
		return t, err
	}
	for _, m := range wrkLatency.FindAllStringSubmatch(text, -1) {
		d, err := time.ParseDuration(m[2])
		if err != nil {
			return t, err
		}
		if m[1] == "50" {
			t.p50 = d
		} else {
			t.p99 = d
		}
	}
	if m := wrkTotal.FindStringSubmatch(text); m != nil {
		if t.good, err = strconv.ParseInt(m[1], 10, 64); err != nil {
			return t, err
		}
	}
	if m := wrkBad.FindStringSubmatch(text); m != nil {
		if t.failed, err = strconv.ParseInt(m[1], 10, 64); err != nil {
			return t, err
		}
		t.good -= t.failed
	}
	for _, m := range wrkSocket.FindAllStringSubmatch(text, -1) {
		for _, number := range m[1:] {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return t, err
			}
			t.failed += n
		}
	}
	return t, nil
}
