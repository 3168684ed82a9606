package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAuditFile checks that only the owner can read the file, and that rotation continues in a new one.
func TestAuditFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a, log, err := openAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	holds := func(path, want string) {
		t.Helper()
		text, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), want) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %s, %v %v; want one line with %q, mode 0600", path, text, err, info, want)
		}
	}
	log.Info("operator's change", "operation", "CreateJob")
	holds(path, `"operation":"CreateJob"`)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := a.reopen(); err != nil {
		t.Fatal(err)
	}
	log.Info("operator's change", "operation", "DeleteJob")
	holds(path+".1", "CreateJob")
	holds(path, "DeleteJob")
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := openAudit(filepath.Join(path, "no", "folder")); err == nil || !strings.Contains(err.Error(), "jobs.audit_file") {
		t.Errorf("an impossible path: %v, want an error that names jobs.audit_file", err)
	}
}
