package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A rejected run leaves an earlier report unchanged and creates no file.
func TestRefusedRunLeavesReports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old.json"), filepath.Join(dir, "new.html")
	if err := os.WriteFile(old, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(t, "--json", old, "--html", fresh, "--connections", "0", "http://127.0.0.1:1/"); err == nil {
		t.Fatal("0 connections are accepted")
	}
	if text, err := os.ReadFile(old); err != nil || string(text) != "earlier" {
		t.Errorf("the earlier report is now %q, %v", text, err)
	}
	if _, err := os.Lstat(fresh); !os.IsNotExist(err) {
		t.Errorf("a file without a report was left: %v", err)
	}
}

// A new report replaces a longer one completely.
func TestReportReplaces(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(name, []byte(strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := execute(t, "--json", name, "--count", "3", "--warmup", "0s", serve(t, "{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := readReport(name); err != nil {
		t.Error(err)
	}
}

func TestHTMLToStandardOutput(t *testing.T) {
	t.Parallel()
	out, err := execute(t, "--html", "-", "--count", "3", "--warmup", "0s", serve(t, "{}"))
	if err != nil || !strings.HasPrefix(out, "<!DOCTYPE html>") || !strings.HasSuffix(out, "</html>\n") {
		t.Errorf("standard output is not a page: %v, %.200s", err, out)
	}
}

func TestReportsNeedDifferentNames(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "report")
	for _, names := range [][2]string{{"-", "-"}, {name, name}, {name, name + "/../report"}} {
		_, err := execute(t, "--json", names[0], "--html", names[1], "http://127.0.0.1:1/")
		if err == nil || !strings.Contains(err.Error(), "different names") {
			t.Errorf("%q: %v", names, err)
		}
	}
}
