//go:build !linux

package miniotest

import "os/exec"

// endWithParent cannot ask the kernel for that here; [Server.Close] still ends the server.
func endWithParent(*exec.Cmd) {}
