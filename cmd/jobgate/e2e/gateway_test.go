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

	"jobgate/cmd/jobgate/gatetest"
)

// command returns a command that runs the binary in folder, with its listeners on free loopback ports and no drain delay.
func command(folder string, env []string, args ...string) *exec.Cmd {
	usual := []string{"JOBGATE_LISTEN=127.0.0.1:0", "JOBGATE_ADMIN=127.0.0.1:0", "JOBGATE_DRAIN_DELAY=0s", "JOBGATE_LOG_LEVEL=debug"}
	return gatetest.Command(binary, folder, append(usual, env...), args...)
}

// gateway is a running "jobgate serve".
type gateway struct {
	*gatetest.Process
	t                       *testing.T
	config                  string // path of its configuration file
	devices, admin, sidecar string // addresses, "" for a listener that is off
}

// serve starts the binary with a configuration and waits until it is ready.
func serve(t *testing.T, folder string, env []string, config string) *gateway {
	t.Helper()
	path := newConfig(t, folder, config)
	return launch(t, command(folder, env, "serve", "--config", path), path)
}

// launch is serve for an existing command.
func launch(t *testing.T, cmd *exec.Cmd, config string) *gateway {
	t.Helper()
	p := gatetest.Start(t, cmd)
	logs.watch(p.Out, p.Log)
	at := p.Addresses()
	return &gateway{Process: p, t: t, config: config, devices: at["listen"], admin: at["admin"], sidecar: at["sidecar"]}
}

// newConfig writes a configuration to a new file, because a gateway reloads when its file changes.
func newConfig(t *testing.T, folder, text string) (path string) {
	t.Helper()
	for n := 1; ; n++ {
		name := fmt.Sprintf("jobgate-%d.yaml", n)
		if _, err := os.Stat(filepath.Join(folder, name)); errors.Is(err, os.ErrNotExist) {
			return gatetest.WriteFile(t, folder, name, text)
		}
	}
}

// metric returns the value of one series from the admin listener, 0 if it does not exist.
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

// run runs the binary until it exits and returns its output.
func run(t *testing.T, folder string, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	stdout, stderr, code = gatetest.Run(t, command(folder, env, args...))
	errs := &gatetest.Buffer{}
	_, _ = errs.Write([]byte(stderr)) // never fails
	logs.watch(errs)
	return stdout, stderr, code
}
