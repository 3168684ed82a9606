package setup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// build builds the command from the tree around this module.
func build(out string) error {
	cmd := exec.Command("go", "build", "-o", out, "./cmd/jobgate")
	cmd.Dir = filepath.Join("..", "..")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build jobgate (run this with go run -C bench/peers .): %w\n%s", err, text)
	}
	return nil
}

// PrintMachine prints the head of every output: the commit, the command, the machine and versions.
func PrintMachine() {
	commit := Output("git", "rev-parse", "--short", "HEAD")
	if Output("git", "status", "--porcelain", "--untracked-files=no") != "" {
		commit += " with changes"
	}
	fmt.Printf("%s, commit %s, `go run -C bench/peers . %s`\n\n", time.Now().UTC().Format(time.DateOnly), commit, strings.Join(os.Args[1:], " "))
	fmt.Printf("%s, %d cores, Linux %s, %s, %s, %s\n\n", cpuModel(), runtime.NumCPU(), Output("uname", "-r"),
		runtime.Version(), nginxVersion(), firstWords(Output("wrk", "-v"), 2))
}

func Output(name string, args ...string) string {
	text, err := exec.Command(name, args...).CombinedOutput()
	if err != nil && len(text) == 0 {
		return name + " unknown"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line
}

func nginxVersion() string {
	return strings.TrimPrefix(Output("nginx", "-v"), "nginx version: ")
}

func firstWords(s string, n int) string {
	fields := strings.Fields(s)
	return strings.Join(fields[:min(n, len(fields))], " ")
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}
