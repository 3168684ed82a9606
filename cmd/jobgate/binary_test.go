package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
)

// binary is the path of the command that TestMain builds. The tests run it as a user would.
var binary string

func TestMain(m *testing.M) {
	os.Exit(gatetest.Main(func(built string) int {
		binary = built
		return m.Run()
	}))
}

// result is a command's exit status and output.
type result struct {
	code     int
	out, err string
}

// command prepares a run of the binary in an empty folder.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	return gatetest.Command(binary, t.TempDir(), env, args...)
}

// jobgate runs the binary and waits for its exit.
func jobgate(t *testing.T, stdin string, env []string, args ...string) result {
	t.Helper()
	c := command(t, env, args...)
	c.Stdin = strings.NewReader(stdin)
	out, errs, code := gatetest.Run(t, c)
	return result{code, out, errs}
}

// startDaemon starts the binary and does not wait for its exit.
func startDaemon(t *testing.T, env []string, args ...string) *gatetest.Process {
	t.Helper()
	return gatetest.Start(t, command(t, env, args...))
}

// awaitText waits until read returns text that contains want, and returns that text.
func awaitText(t *testing.T, read func() string, want string) (text string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("waited for %q in:\n%s", want, text)
		}
	}()
	servertest.Eventually(t, "the text has come", func() bool {
		text = read()
		return strings.Contains(text, want)
	})
	return text
}
