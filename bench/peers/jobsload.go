package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobgate/bench/report"
)

// updateBody is what a device reports, as often as it likes.
const updateBody = `{"status":"IN_PROGRESS","statusDetails":{"step":"download"}}`

// thingName is the i-th name of a group, as jobgate bench forms it.
func thingName(group string, n, i int) string {
	return fmt.Sprintf("%s%0*d", group, len(strconv.Itoa(n-1)), i)
}

// deviceScript is wrk's script for requests of random things, from a sequence that is the same in each turn. The
// requests are made beforehand.
func deviceScript(group string, n int, path, method, body string) string {
	random := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("local things = {")
	for range min(scriptNames, n) {
		fmt.Fprintf(&b, "%d,", random.IntN(n))
	}
	fmt.Fprintf(&b, `}
local requests, next = {}, 0
init = function()
  for i, thing in ipairs(things) do
    requests[i] = wrk.format(%q, string.format("/things/%s%%0%dd%s", thing), {["Content-Type"] = "application/json"}, %s)
  end
end
request = function()
  next = next %% #requests + 1
  return requests[next]
end
`, method, group, len(strconv.Itoa(n-1)), path, luaString(body))
	return b.String()
}

// luaString writes a string without line ends as Lua's source; "" is nil, no body.
func luaString(s string) string {
	if s == "" {
		return "nil"
	}
	return "[[" + s + "]]"
}

// benchUntil runs jobgate bench on the load's core until ctx ends, and returns its report.
func benchUntil(ctx context.Context, o *options, args ...string) (*report.Result, error) {
	args = append([]string{"-c", strconv.Itoa(o.loadCore), o.jobgate, "bench", "--quiet", "--json", "-"}, args...)
	cmd := exec.CommandContext(ctx, "taskset", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it reports what it has
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run() // fails whenever it was interrupted
	r, readErr := report.ReadJSON(&stdout)
	if readErr != nil {
		return nil, fmt.Errorf("jobgate bench: %w\n%s", errors.Join(readErr, err), &stderr)
	}
	return r, nil
}

// syncTime measures what a small durable write takes, at the median and the 99th percentile.
func syncTime(path string) (mid, high time.Duration, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	took := make([]time.Duration, 200)
	page := make([]byte, 4096)
	for i := range took {
		begun := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], nil
}
