package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStoreFileGone deletes the database's file under a gateway: /readyz stays 200 and tells it, and so does a metric.
func TestStoreFileGone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "jobs.db")
	file := writeFile(t, folder, "jobgate.yaml", fmt.Sprintf("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ncontrol: 127.0.0.1:0\njobs: {enabled: true, store: %s}\n", path))
	d := startDaemon(t, nil, "serve", "--config", file)
	admin := "http://" + d.address("admin")
	eventually(t, func() string { _, body := fetch(t, "GET", admin+"/readyz"); return body }, `"store":{"kind":"sqlite","state":"ok"}`)
	if _, body := fetch(t, "GET", admin+"/metrics"); !strings.Contains(body, `jobgate_lease_held{work="jobs"} 1`) {
		t.Errorf("no lease is held in\n%s", body)
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, body := fetch(t, "GET", admin+"/readyz"); !strings.Contains(body, "was cut from") {
		t.Errorf("after truncation: %s", body)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	status, body := fetch(t, "GET", admin+"/readyz")
	if status != 200 || !strings.Contains(body, `"state":"failing"`) || !strings.Contains(body, "was deleted or moved") {
		t.Errorf("after deletion: %d %s", status, body)
	}
	if _, body := fetch(t, "GET", admin+"/metrics"); !strings.Contains(body, `jobgate_store_errors_total{kind="file"}`) {
		t.Errorf("no error is counted in\n%s", body)
	}
}
