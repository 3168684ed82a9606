//go:build !linux

package miniotest

import (
	"os"
	"os/exec"
)

// endWithParent starts the server through a shell that ends it when its standard input
// closes, which the kernel does when the test process ends, however it ends. stop closes it.
func endWithParent(cmd *exec.Cmd) (stop func()) {
	const script = `"$0" "$@" </dev/null & cat >/dev/null; kill $!`
	cmd.Args = append([]string{"sh", "-c", script, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		cmd.Err = err // Start returns it
		return func() {}
	}
	return func() { _ = stdin.Close() }
}

// dataRoot is where data folders go.
func dataRoot() string { return os.TempDir() }
