package miniotest

import (
	"os"
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end the server when the test process ends, however it ends.
// The thread that starts it must live as long as the server: see [run]. stop ends a running
// server.
func endWithParent(cmd *exec.Cmd) (stop func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return func() { _ = cmd.Process.Kill() }
}

// minFree is twice the free space that MinIO requires.
const minFree = 2 << 30

// dataRoot is where data folders go: memory, if there is enough. On a busy disk MinIO gets
// slow and refuses writes.
func dataRoot() string {
	const memory = "/dev/shm"
	var fs syscall.Statfs_t
	if syscall.Statfs(memory, &fs) == nil && fs.Bavail*uint64(fs.Bsize) >= minFree {
		return memory
	}
	return os.TempDir()
}
