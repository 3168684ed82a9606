package e2e_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jobgate/gateway/servertest"
	"jobgate/presigner/miniotest"
)

// reloadable is a configuration to which routes can be appended.
const reloadable = downloadRole + `
cache: {role: download}
routes:
  - {path: "/doc", document: "s3://$BUCKET/doc.json", content_type: application/json}
`

// TestReload breaks the configuration and corrects it, with each of the three ways to reload.
func TestReload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	s.object("fw.bin", "bytes")
	s.file("more.json", `{}`)
	g := s.serve(reloadable)
	works := func(when string) {
		t.Helper()
		if a := get(t, get(t, "http://"+g.devices+"/doc").document(t)["url"]); a.status != http.StatusOK || a.body != "bytes" {
			t.Errorf("%s: %d %s", when, a.status, a.body)
		}
		loads, sessions := s.proxy.Count(miniotest.Get, "/"+s.bucket+"/doc.json"), s.proxy.Count(miniotest.AssumeRole, "")
		if loads != 1 || sessions != 1 {
			t.Errorf("%s: %d loads, %d AssumeRole so far, want 1 and 1", when, loads, sessions)
		}
	}
	reconfigure := func(config string) { s.file(filepath.Base(g.config), config) }
	last := func() float64 { return g.metric("jobgate_config_last_reload_successful") }
	works("before any reload")
	if last() != 1 {
		t.Error("the metric does not show the first load")
	}

	// Broken: by SIGHUP, whose errors are only logged, and by POST.
	reconfigure(reloadable + "presing: {expires: 8d}\n")
	g.Signal(syscall.SIGHUP)
	place := g.config + ":9:1: "
	servertest.Eventually(t, "the log has the error", func() bool { return strings.Contains(g.Log.String(), place) })
	if !strings.Contains(g.Log.String(), "cannot reload the configuration; still running with the old one") || last() != 0 {
		t.Errorf("the metric is %v", last())
	}
	works("with an unknown key")
	reconfigure(reloadable + "  - {path: /more, document: \"file://$DIR/more.json\", expires: 8d}\n")
	a := do(t, http.MethodPost, "http://"+g.admin+"/-/reload", "")
	if place = g.config + ":9:"; a.status != http.StatusBadRequest || !strings.Contains(a.body, place) || !strings.Contains(a.body, "8d") || !strings.Contains(a.body, "routes[1].expires") {
		t.Errorf("reload: %d %s, want 400 with %s", a.status, a.body, place)
	}
	works("with a value out of range")
	reconfigure(reloadable + "admin: 127.0.0.1:1\n")
	if a := do(t, http.MethodPost, "http://"+g.admin+"/-/reload", ""); a.status != http.StatusOK {
		t.Errorf("JOBGATE_ADMIN overrides the file, so the reload must succeed: %d %s", a.status, a.body)
	}
	reconfigure(reloadable + "admin_debug: true\n")
	if a := do(t, http.MethodPost, "http://"+g.admin+"/-/reload", ""); a.status != http.StatusBadRequest || !strings.Contains(a.body, "admin_debug changed, which needs a restart") || last() != 0 {
		t.Errorf("a setting that needs a restart: %d %s", a.status, a.body)
	}
	works("with a setting that needs a restart")

	// Corrected, with another route: by POST, by SIGHUP, and by changing the file.
	more := reloadable + "  - {path: /more, document: \"file://$DIR/more.json\"}\n"
	has := func(status int) func() bool {
		return func() bool { return get(t, "http://"+g.devices+"/more").status == status }
	}
	reconfigure(more)
	if a := do(t, http.MethodPost, "http://"+g.admin+"/-/reload", ""); a.status != http.StatusOK || !has(200)() || last() != 1 {
		t.Errorf("reload: %d %s", a.status, a.body)
	}
	works("after POST")
	reconfigure(reloadable)
	g.Signal(syscall.SIGHUP)
	servertest.Eventually(t, "SIGHUP removes the route", has(404))
	works("after SIGHUP")
	reconfigure(more)
	servertest.Eventually(t, "the gateway detects the file's change", has(200))
	works("after the file's change")
	if got := get(t, "http://"+g.admin+"/config"); !strings.Contains(got.body, "/more") {
		t.Errorf("the current configuration: %d %s", got.status, got.body)
	}
}
