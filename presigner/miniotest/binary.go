package miniotest

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Module and Version name the MinIO that the tests run.
const (
	Module  = "github.com/minio/minio"
	Version = "v0.0.0-20260212201848-7aac2a2c5b7c"
)

// findBinary returns the path of a MinIO binary of [Version]: from the cache folder, PATH
// or GOPATH/bin. If none has it, it is built into the cache folder, which takes minutes,
// once per machine. Concurrent test processes share one build.
func findBinary(ctx context.Context, logf func(string, ...any)) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cannot find the cache folder for MinIO: %w", err)
	}
	dir := filepath.Join(cache, "jobgate", "minio-"+Version)
	cached := filepath.Join(dir, binaryName())
	if isVersion(cached) {
		return cached, nil
	}
	for _, path := range []string{fromPath(), fromGopath(ctx)} {
		if path != "" && isVersion(path) {
			return path, nil
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cannot make the cache folder for MinIO: %w", err)
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("cannot lock the cache folder for MinIO: %w", err)
	}
	defer unlock()
	if isVersion(cached) { // another process built it while this one waited
		return cached, nil
	}
	logf("building MinIO %s, once, into %s: this takes some minutes", Version, dir)
	return cached, build(ctx, dir)
}

// build installs MinIO into dir. An aborted build leaves nothing behind: the go command
// moves the binary there when it is complete.
func build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "install", Module+"@"+Version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("cannot build MinIO %s: %w: %s", Version, err, lastLines(string(out), 5))
	}
	if !isVersion(filepath.Join(dir, binaryName())) {
		return errors.New("cannot build MinIO: the go command left no binary of that version")
	}
	return nil
}

// isVersion reports whether the binary at path was built from [Module] at [Version].
func isVersion(path string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Main.Path == Module && info.Main.Version == Version
}

func fromPath() string {
	path, err := exec.LookPath("minio")
	if err != nil {
		return ""
	}
	return path
}

func fromGopath(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "go", "env", "GOPATH").Output()
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), string(filepath.ListSeparator))
	return filepath.Join(first, "bin", binaryName())
}

func binaryName() string {
	if runtime.GOOS == "windows" {
		return "minio.exe"
	}
	return "minio"
}

// lastLines returns the last n lines of s, joined for an error message.
func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
