package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
)

// binary is the built command, made by TestMain: the tests below drive it as a person would.
var binary string

func TestMain(m *testing.M) {
	os.Exit(gatetest.Main(func(built string) int {
		binary = built
		return m.Run()
	}))
}

// result is what a command left.
type result struct {
	code     int
	out, err string
}

// command prepares the binary, in an empty folder, with an environment of its own: no AWS settings of this machine.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // a busy machine takes its time
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	c.Dir = t.TempDir()
	c.Env = append(gatetest.Environment(c.Dir), env...)
	return c
}

// jobgate runs the binary to its end.
func jobgate(t *testing.T, stdin string, env []string, args ...string) result {
	t.Helper()
	c := command(t, env, args...)
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), errs.String()}
}

// daemon is the binary at work.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *gatetest.Buffer // standard error
	out  *gatetest.Buffer // standard output
	done chan struct{}
}

// startDaemon starts the binary; it is killed when the test ends, if it still runs.
func startDaemon(t *testing.T, env []string, args ...string) *daemon {
	t.Helper()
	return startCommand(t, command(t, env, args...))
}

// startCommand is startDaemon for a command that is prepared.
func startCommand(t *testing.T, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{t: t, cmd: cmd, log: &gatetest.Buffer{}, out: &gatetest.Buffer{}, done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = d.cmd.Wait() // the exit status says it
		close(d.done)
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("standard output:\n%s\nstandard error:\n%s", d.out, d.log)
		}
	})
	return d
}

func (d *daemon) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

// wait waits for the end and returns the exit status.
func (d *daemon) wait() int {
	d.t.Helper()
	select {
	case <-d.done:
	case <-time.After(2 * time.Minute):
		d.t.Fatal("the process did not end")
	}
	return d.cmd.ProcessState.ExitCode()
}

// eventually waits until read returns text that holds want.
func eventually(t *testing.T, read func() string, want string) string {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for {
		text := read()
		if strings.Contains(text, want) {
			return text
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q did not come; there is:\n%s", want, text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// address waits for the log line of a running gateway that says where name listens.
func (d *daemon) address(name string) string {
	d.t.Helper()
	text := eventually(d.t, d.log.String, "msg=serving")
	_, rest, _ := strings.Cut(text, " "+name+"=")
	address, _, _ := strings.Cut(rest, " ")
	address, _, _ = strings.Cut(address, "\n")
	if address == "" {
		d.t.Fatalf("%s does not listen:\n%s", name, text)
	}
	return address
}

// writeFile writes a file of a test, all at once, as editors and Kubernetes do.
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
