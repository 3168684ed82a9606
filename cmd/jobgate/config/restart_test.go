package config

import (
	"strings"
	"testing"
)

func TestNeedRestart(t *testing.T) {
	load := func(source string) *Config {
		t.Helper()
		l, err := Load(Options{Path: "j.yaml", Source: []byte(served + source)})
		if err != nil {
			t.Fatal(err)
		}
		return &l.Config
	}
	f := func(was, is, want string) {
		t.Helper()
		if got := strings.Join(NeedRestart(load(was), load(is)), ", "); got != want {
			t.Errorf("%s -> %s: %q, want %q", was, is, got, want)
		}
	}
	f("", "", "")
	f("", "presign: {expires: 5m, quantum: 2s}\ncache: {fresh: 1s}\nlog: {level: debug}\nlimits: {max_in_flight: 5}", "")
	f("", "admin: 127.0.0.1:1\nadmin_debug: true\nmemory: low\nlog: {format: json}", "admin, admin_debug, log.format")
	f("", "limits: {max_request_header: 9KiB, max_body: 2MiB, max_connections: 9, read_timeout: 1s, idle_timeout: 1s}",
		"limits.max_request_header, limits.max_body, limits.max_connections, limits.read_timeout, limits.idle_timeout")
	f("", "drain: {delay: 1s}\ntls: {cert_file: c, key_file: k}", "tls, drain")
	f("", "tls: {cert_file: c, key_file: k, client_ca_file: a}\nauth: {mode: mtls}", "tls, auth.mode (from or to mtls)")
	f("", "routes: [{path: /x, document: 'file:///d/x'}]", "")
	jobs := "jobs: {enabled: true}\n"
	f("", jobs, "jobs")
	f(jobs, jobs+"presign: {quantum: 2s}", "presign.quantum (with jobs)")
}
