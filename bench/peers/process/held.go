package process

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
)

// Held is a process of this program that does its work until its input ends, and reports on its output.
type Held struct {
	Input  io.WriteCloser
	Output *bufio.Reader

	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// Hold starts one.
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

// Wait waits for its end.
func (h *Held) Wait() error { return h.cmd.Wait() }

// Stderr is what it wrote to standard error. Call it after Wait or Stop.
func (h *Held) Stderr() string { return h.stderr.String() }

// Stop ends its input and waits for its end.
func (h *Held) Stop() {
	_ = h.Input.Close()
	_ = h.cmd.Wait() // what it failed with does not matter any more
}
