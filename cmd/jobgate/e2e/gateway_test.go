package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
)

// command prepares the binary, in folder: every listener on a free loopback port, no time lost at the end.
func command(folder string, env []string, args ...string) *exec.Cmd {
	usual := []string{"JOBGATE_LISTEN=127.0.0.1:0", "JOBGATE_ADMIN=127.0.0.1:0", "JOBGATE_DRAIN_DELAY=0s", "JOBGATE_LOG_LEVEL=debug"}
	return gatetest.Command(binary, folder, append(usual, env...), args...)
}

// gateway is "jobgate serve" at work.
type gateway struct {
	*gatetest.Process
	t                       *testing.T
	config                  string // path of its configuration file
	devices, admin, sidecar string // addresses, "" for a listener that is off
}

// serve starts the binary with that configuration and waits until it serves.
func serve(t *testing.T, folder string, env []string, config string) *gateway {
	t.Helper()
	path := newConfig(t, folder, config)
	return launch(t, command(folder, env, "serve", "--config", path), path)
}

// launch is serve with a command that is made already.
func launch(t *testing.T, cmd *exec.Cmd, config string) *gateway {
	t.Helper()
	p := gatetest.Start(t, cmd)
	logs.watch(p.Out, p.Log)
	at := p.Addresses()
	return &gateway{Process: p, t: t, config: config, devices: at["listen"], admin: at["admin"], sidecar: at["sidecar"]}
}

// newConfig writes a configuration into a file of its own: a gateway reloads when its file changes.
func newConfig(t *testing.T, folder, text string) (path string) {
	t.Helper()
	for n := 1; ; n++ {
		name := fmt.Sprintf("jobgate-%d.yaml", n)
		if _, err := os.Stat(filepath.Join(folder, name)); errors.Is(err, os.ErrNotExist) {
			return gatetest.WriteFile(t, folder, name, text)
		}
	}
}

// metric returns the value of one series as the admin listener shows it, 0 if it is not there.
func (g *gateway) metric(series string) float64 {
	g.t.Helper()
	for line := range strings.Lines(get(g.t, "http://"+g.admin+"/metrics").body) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), series+" "); ok {
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				g.t.Fatal(err)
			}
			return value
		}
	}
	return 0
}

// run runs the binary to its end and returns what it printed.
func run(t *testing.T, folder string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	stdout, stderr, code = gatetest.Run(t, command(folder, env, args...))
	errs := &gatetest.Buffer{}
	_, _ = errs.Write([]byte(stderr)) // it never fails
	logs.watch(errs)
	return stdout, stderr, code
}

// eventually waits until done says so.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to this: %s", what)
		}
	}
}
