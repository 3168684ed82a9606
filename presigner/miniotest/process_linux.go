package miniotest

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end the server when the test process ends, however it
// ends. The thread that starts it must live as long as the server: see [run].
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
