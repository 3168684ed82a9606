// Package gatetest builds and runs the command for tests that use it as a user would.
//
//	Main or Build ──► Command ──► Run:   its output and exit status
//	                         └──► Start: Address, Signal, Wait; killed when the test ends, its output shown if the test failed
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

// atOnce is how many tests run in parallel: they mostly wait for processes, sessions, time-outs and drains.
const atOnce = "16"

// Main builds the command and calls run with its path. It returns run's exit status, or 1 if the command does not build.
func Main(run func(binary string) int) int {
	binary, err := build()
	if err == nil {
		err = flag.Set("test.parallel", atOnce)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run(binary)
}

// build builds the command of the module that the test is in. go test does not know that the test depends on it, but
// notes which folders it reads: it runs the test again if there is a change in one of them.
func build() (binary string, err error) {
	root, err := os.Getwd()
	for err == nil && !exists(filepath.Join(root, "go.mod")) {
		if root == filepath.Dir(root) {
			return "", errors.New("there is no go.mod here or above")
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

// Build returns the path of the command, built from a copy of the module in folder. It is in the go command's cache, so
// that only the first test after a change links it.
func Build(folder string, flags ...string) (binary string, err error) {
	args := append([]string{"run", "-C", folder, "-exec", "echo"}, flags...)
	for range 2 { // the run that links it names a temporary file, the next one the file in the cache
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
	return "", fmt.Errorf("the go command does not keep the command in its cache, but in %s", binary)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
