package gatetest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 3 * time.Minute // for a gateway's start on a busy machine
	lifetime = 5 * time.Minute // of a process that exits by itself
)

// Command returns a command that runs a program in folder, with the environment env and without the machine's AWS settings.
func Command(program, folder string, env []string, args ...string) *exec.Cmd {
	none := filepath.Join(folder, "none")
	c := exec.Command(program, args...) //nolint:gosec // a test's own program
	c.Dir = folder
	c.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "TMPDIR=" + folder, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + none, "AWS_SHARED_CREDENTIALS_FILE=" + none,
	}, env...)
	return c
}

// Run runs a command until it exits. The test fails if the command does not exit.
func Run(tb testing.TB, c *exec.Cmd) (stdout, stderr string, code int) {
	tb.Helper()
	var out, problem bytes.Buffer
	c.Stdout, c.Stderr = &out, &problem
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lifetime)
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	err := c.Wait()
	late := !stop()
	cancel()
	if late {
		tb.Fatalf("%s did not exit within %v; its output:\n%s\n%s", c, lifetime, &out, &problem)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatal(err)
	}
	return out.String(), problem.String(), c.ProcessState.ExitCode()
}

// Process is a running command.
type Process struct {
	tb    testing.TB
	Cmd   *exec.Cmd
	Out   *Buffer // standard output
	Log   *Buffer // standard error
	ended chan struct{}
}

// Start starts a command. When the test ends, the process is killed, and its output is logged if the test has failed.
func Start(tb testing.TB, c *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{tb: tb, Cmd: c, Out: &Buffer{}, Log: &Buffer{}, ended: make(chan struct{})}
	c.Stdout, c.Stderr = p.Out, p.Log
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = c.Wait() // the exit status is in c.ProcessState
	}()
	tb.Cleanup(func() {
		_ = c.Process.Kill() // it may have exited
		<-p.ended
		if tb.Failed() {
			tb.Logf("%s: standard output:\n%s\nstandard error:\n%s", c, lastLines(p.Out.String(), 100), lastLines(p.Log.String(), 100))
		}
	})
	return p
}

// Addresses waits until a gateway is ready. It returns the listeners' addresses by name.
func (p *Process) Addresses() map[string]string {
	p.tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		ended := p.Ended()
		if _, line, ok := strings.Cut(p.Log.String(), "msg=serving "); ok {
			if line, _, ok = strings.Cut(line, "\n"); ok {
				addresses := map[string]string{}
				for field := range strings.FieldsSeq(line) {
					name, address, _ := strings.Cut(field, "=")
					addresses[name] = address
				}
				return addresses
			}
		}
		switch {
		case ended:
			p.tb.Fatalf("%s exited with status %d before it was ready", p.Cmd, p.Cmd.ProcessState.ExitCode())
		case time.Now().After(deadline):
			p.tb.Fatalf("%s is not ready after %v", p.Cmd, patience)
		}
	}
}

// Address waits until a gateway is ready. It returns the address of a listener, which must be enabled.
func (p *Process) Address(listener string) string {
	p.tb.Helper()
	address := p.Addresses()[listener]
	if address == "" {
		p.tb.Fatalf("the listener %s is off:\n%s", listener, p.Log)
	}
	return address
}

// Signal sends a signal to the process, which must be running.
func (p *Process) Signal(s syscall.Signal) {
	p.tb.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.tb.Fatal(err)
	}
}

// Ended reports whether the process has exited.
func (p *Process) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Wait waits until the process exits and returns the exit status, -1 after a signal that the process does not handle.
func (p *Process) Wait() int {
	p.tb.Helper()
	select {
	case <-p.ended:
	case <-time.After(2 * time.Minute):
		p.tb.Fatalf("%s did not exit", p.Cmd)
	}
	return p.Cmd.ProcessState.ExitCode()
}

// End sends a signal that ends the process, and waits like Wait. The process may be stopped, or have exited already.
func (p *Process) End(s syscall.Signal) int {
	p.tb.Helper()
	_ = p.Cmd.Process.Signal(syscall.SIGCONT) // it may have exited
	_ = p.Cmd.Process.Signal(s)
	return p.Wait()
}

// WriteFile writes a test's file atomically, as editors and Kubernetes do, and returns its path.
func WriteFile(tb testing.TB, folder, name, text string) string {
	tb.Helper()
	full := filepath.Join(folder, name)
	if err := os.WriteFile(full+".new", []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(full+".new", full); err != nil {
		tb.Fatal(err)
	}
	return full
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Buffer is written by a process and read by a test. It is safe for concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Buffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns everything written so far.
func (l *Buffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
