package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
)

// TestStoreFileGone deletes the database file of a running gateway. /readyz stays 200 and reports it, and a metric counts it.
func TestStoreFileGone(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "jobs.db")
	file := gatetest.WriteFile(t, folder, "jobgate.yaml", fmt.Sprintf("listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\ncontrol: 127.0.0.1:0\njobs: {enabled: true, store: %s}\n", path))
	d := startDaemon(t, nil, "serve", "--config", file)
	admin := "http://" + d.Address("admin")
	awaitText(t, func() string { _, body := fetch(t, "GET", admin+"/readyz"); return body }, `"store":{"kind":"sqlite","state":"ok"}`)
	if _, body := fetch(t, "GET", admin+"/metrics"); !strings.Contains(body, `jobgate_lease_held{work="jobs"} 1`) {
		t.Errorf("no lease is held in\n%s", body)
	}
	awaitText(t, func() string { // a checkpoint that is late writes all of this new store again
		if err := os.Truncate(path, 100); err != nil {
			t.Fatal(err)
		}
		_, body := fetch(t, "GET", admin+"/readyz")
		if info, err := os.Stat(path); err != nil || info.Size() == 100 && !strings.Contains(body, "was cut from") {
			t.Errorf("after truncation: %v %s", err, body)
		}
		return body
	}, "was cut from")
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

// TestDiskFull fills the store's disk, then frees space. /readyz and the metrics report the failure, and the gateway
// recovers.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	missing := func(why any) {
		t.Helper()
		servertest.Missing(t, "cannot mount a small disk (%v): run the test on Linux, as root or with user namespaces (unshare -rm)", why)
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		missing(err)
	}
	folder, disk := t.TempDir(), t.TempDir()
	mount := `mount -t tmpfs -o size=6m tmpfs "$DISK" && head -c 2097152 /dev/zero >"$DISK/ballast"`
	try := exec.Command(unshare, "-rm", "sh", "-c", mount)
	try.Env = append(os.Environ(), "DISK="+disk)
	if out, err := try.CombinedOutput(); err != nil {
		missing(fmt.Sprintf("%v %s", err, out))
	}
	gatetest.WriteFile(t, folder, "keys.yaml", keysFile(operatorKey))
	file := gatetest.WriteFile(t, folder, "jobgate.yaml", fmt.Sprintf(`listen: 127.0.0.1:0
admin: 127.0.0.1:0
control: 127.0.0.1:0
jobs: {enabled: true, store: %s/jobs.db, access_keys_file: %s/keys.yaml}
`, disk, folder))
	cmd := command(t, []string{"DISK=" + disk, "AWS_REGION=us-east-1"}, "serve", "--config", file)
	cmd.Path, cmd.Args = unshare, append([]string{"unshare", "-rm", "sh", "-c", mount + ` && exec "$0" "$@"`, binary}, cmd.Args[1:]...)
	s := &jobsSite{t: t, folder: folder, d: gatetest.Start(t, cmd)}
	admin := "http://" + s.d.Address("admin")
	readyz := func() string { _, body := fetch(t, "GET", admin+"/readyz"); return body }
	awaitText(t, readyz, `"store":{"kind":"sqlite","state":"ok"}`)

	things := 0
	create := func() (int, string) {
		things++
		body := `{"thingTypeName":"big","attributePayload":{"attributes":{"a":"` + strings.Repeat("x", 800) + `","b":"` + strings.Repeat("y", 800) + `"}}}`
		return s.ask(operatorKey, "iot", "control", "POST", fmt.Sprintf("/things/t%d", things), body)
	}
	status, text := create()
	for ; status == 200 && things < 20000; status, text = create() {
	}
	if status != 503 || !strings.Contains(text, "cannot be stored") {
		t.Fatalf("after %d things: %d %s, want 503", things, status, text)
	}
	body := awaitText(t, func() string { create(); return readyz() }, `"state":"failing"`)
	if !strings.Contains(body, "full") {
		t.Errorf("/readyz does not say why: %s", body)
	}
	if _, body := fetch(t, "GET", admin+"/metrics"); !strings.Contains(body, `jobgate_store_errors_total{kind="unavailable"}`) {
		t.Errorf("no error is counted in\n%s", body)
	}
	if status, text := s.ask(operatorKey, "iot", "control", "GET", "/things/t1", ""); status != 200 {
		t.Errorf("reading an existing thing: %d %s", status, text)
	}
	awaitText(t, s.d.Log.String, "the jobs store fails")

	if err := os.Remove(fmt.Sprintf("/proc/%d/root%s/ballast", cmd.Process.Pid, disk)); err != nil {
		t.Fatal(err)
	}
	awaitText(t, func() string { status, text := create(); return fmt.Sprint(status, " ", text) }, "200 ")
	awaitText(t, readyz, `"state":"ok"`)
}
