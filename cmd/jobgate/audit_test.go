package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAuditFile is readable by its owner alone, and goes on in a new file after its rotation.
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
			t.Errorf("%s: %s, %v %v", path, text, err, info)
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
		t.Errorf("%v", err)
	}
}
