//go:build unix

package localfile

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Reading a pipe without a writer does not block.
func TestReadPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(name, 4); err == nil || !strings.Contains(err.Error(), "is a pipe, not a regular file") {
		t.Errorf("unexpected error: %v", err)
	}
}
