package miniotest

import (
	"os/exec"
	"syscall"
)

// tie makes the kernel end the server when the test process ends, however it ends. The
// thread that starts it must live as long as the server: see [run]. stop ends a server
// that runs.
func tie(cmd *exec.Cmd) (stop func(), err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return func() { _ = cmd.Process.Kill() }, nil
}
