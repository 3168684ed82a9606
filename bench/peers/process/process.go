// Package process runs programs pinned to a core, waits until they answer, and measures their memory and CPU time.
//
//	Start ─▶ Process ─▶ Answer, RSS, CPU ─▶ Stop
package process

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Process is a server started by Start.
type Process struct {
	Name string
	cmd  *exec.Cmd
	log  bytes.Buffer
	done chan struct{} // closed when the process has exited
	err  error         // of its exit; valid after done
}

// AnyCore lets a process run on all cores, for work that is not measured.
const AnyCore = -1

// Start runs a program pinned to one core. Its output is kept for error messages.
func Start(name string, core int, environment []string, program string, args ...string) (*Process, error) {
	p := &Process{Name: name, done: make(chan struct{})}
	if core == AnyCore {
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

// Stop ends the process, first with SIGTERM.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have exited already
	select {
	case <-p.done:
	case <-time.After(30 * time.Second): // closing a large store takes time
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}
