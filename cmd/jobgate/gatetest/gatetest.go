// Package gatetest builds and runs the command for tests that use it as users do.
//
//	Main or Build ──► Command ──► Run:   returns the output and exit status
//	                         └──► Start: Address, Signal, Wait; killed when the test ends; a failed test logs the output
package gatetest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// parallel is the number of tests that run in parallel. They mostly wait for processes, sessions, time-outs and drains.
const parallel = "16"

// Main builds the command and calls run with its path. It returns run's exit status, or 1 if the command does not build.
func Main(run func(binary string) int) int {
	binary, err := build()
	if err == nil {
		err = flag.Set("test.parallel", parallel)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run(binary)
}

// build builds the command of the test's module. go test does not know that the test depends on the command, but records
// which folders the test reads. So build walks the module's folders, and go test runs the test again after a change.
func build() (binary string, err error) {
	root, err := os.Getwd()
	for err == nil && !exists(filepath.Join(root, "go.mod")) {
		if root == filepath.Dir(root) {
			return "", errors.New("no go.mod in this folder or above")
		}
		root = filepath.Dir(root)
	}
	if err == nil {
		err = filepath.WalkDir(root, func(_ string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		})
	}
	if err != nil {
		return "", err
	}
	return Build(root)
}

// Build builds the command from a copy of the module in folder, and returns its path. The path is in the go command's cache,
// so only the first test after a change links the command.
func Build(folder string, flags ...string) (binary string, err error) {
	args := append([]string{"run", "-C", folder, "-exec", "echo"}, flags...)
	for range 2 { // the run that links it prints a temporary path, the next one the path in the cache
		cmd := exec.Command("go", append(args, "./cmd/jobgate")...) //nolint:gosec // the caller's own flags
		var problem bytes.Buffer
		cmd.Stderr = &problem
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("cannot build the command: %w\n%s", err, &problem)
		}
		if binary = strings.TrimSpace(string(out)); exists(binary) {
			return binary, nil
		}
	}
	return "", fmt.Errorf("the go command did not cache the command; its path is %s", binary)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
