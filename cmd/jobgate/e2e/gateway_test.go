package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
)

// lifetime is how long a process of a test may take, at most: a busy machine takes its time.
const lifetime = 5 * time.Minute

// command prepares the binary, in folder, with an environment of its own: no AWS settings
// of this machine, every listener on a free loopback port, no time lost at the end.
func command(t *testing.T, folder string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir = folder
	c.Env = append(gatetest.Environment(folder),
		"JOBGATE_LISTEN=127.0.0.1:0", "JOBGATE_ADMIN=127.0.0.1:0", "JOBGATE_DRAIN_DELAY=0s", "JOBGATE_LOG_LEVEL=debug")
	c.Env = append(c.Env, env...)
	return c
}

// gateway is "jobgate serve" at work.
type gateway struct {
	t                       *testing.T
	cmd                     *exec.Cmd
	config                  string // path of its configuration file
	log                     *gatetest.Buffer
	ended                   chan struct{}
	devices, admin, sidecar string // addresses, "" for a listener that is off
}

// serve starts the binary with that configuration and waits until it serves. It is killed
// when the test ends, if it still runs.
func serve(t *testing.T, folder string, env []string, config string) *gateway {
	t.Helper()
	path := newConfig(t, folder, config)
	return launch(t, command(t, folder, env, "serve", "--config", path), path)
}

// launch is serve with a command that is made already.
func launch(t *testing.T, cmd *exec.Cmd, config string) *gateway {
	t.Helper()
	g := &gateway{t: t, cmd: cmd, log: &gatetest.Buffer{}, ended: make(chan struct{}), config: config}
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	logs.watch(g.log)
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(g.ended)
		_ = g.cmd.Wait() // its exit status is looked at where it matters
	}()
	t.Cleanup(func() {
		_ = g.cmd.Process.Kill()
		<-g.ended
		if t.Failed() {
			t.Logf("the gateway's log:\n%s", lastLines(g.log.String(), 60))
		}
	})
	eventually(t, "the gateway serves", func() bool {
		select {
		case <-g.ended:
			t.Fatalf("the gateway ended at once:\n%s", g.log)
		default:
		}
		return strings.Contains(g.log.String(), "msg=serving")
	})
	g.devices, g.admin, g.sidecar = g.address("listen"), g.address("admin"), g.address("sidecar")
	return g
}

// newConfig writes a configuration into a file of its own: a gateway reloads when its file changes.
func newConfig(t *testing.T, folder, text string) (path string) {
	t.Helper()
	for n := 1; ; n++ {
		name := fmt.Sprintf("jobgate-%d.yaml", n)
		if _, err := os.Stat(filepath.Join(folder, name)); errors.Is(err, os.ErrNotExist) {
			return writeFile(t, folder, name, text)
		}
	}
}

// address reads from the log where a listener is.
func (g *gateway) address(name string) string {
	_, line, _ := strings.Cut(g.log.String(), "msg=serving")
	line, _, _ = strings.Cut(line, "\n")
	_, rest, _ := strings.Cut(line, " "+name+"=")
	address, _, _ := strings.Cut(rest, " ")
	return address
}

func (g *gateway) signal(s syscall.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit status.
func (g *gateway) wait() int {
	g.t.Helper()
	select {
	case <-g.ended:
	case <-time.After(time.Minute):
		g.t.Fatal("the gateway did not end")
	}
	return g.cmd.ProcessState.ExitCode()
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
	c := command(t, folder, env, args...)
	var out bytes.Buffer
	errs := &gatetest.Buffer{}
	logs.watch(errs)
	c.Stdout, c.Stderr = &out, errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
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

// writeFile writes a file all at once, as editors and Kubernetes do, and returns its path.
func writeFile(t *testing.T, folder, name, text string) string {
	t.Helper()
	full := filepath.Join(folder, name)
	if err := os.WriteFile(full+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(full+".new", full); err != nil {
		t.Fatal(err)
	}
	return full
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
