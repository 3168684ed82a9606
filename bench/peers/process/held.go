package process

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
)

// Held is a process of this program that works until its input ends and writes a report to its output.
type Held struct {
	Input  io.WriteCloser
	Output *bufio.Reader

	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// Hold starts such a process.
func Hold(cmd *exec.Cmd) (*Held, error) {
	h := &Held{cmd: cmd}
	cmd.Stderr = &h.stderr
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.Output = bufio.NewReader(output)
	if h.Input, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return h, cmd.Start()
}

// Wait waits for the process to exit.
func (h *Held) Wait() error { return h.cmd.Wait() }

// Stderr returns the process's standard error. Call it after Wait or Stop.
func (h *Held) Stderr() string { return h.stderr.String() }

// Stop closes the process's input and waits for its exit.
func (h *Held) Stop() {
	_ = h.Input.Close()
	_ = h.cmd.Wait() // its error does not matter any more
}
