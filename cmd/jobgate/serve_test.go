package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jobgate/cmd/jobgate/demo/objectstore"
	"jobgate/cmd/jobgate/gatetest"
)

// fetch requests url and returns the status and the body. Without a response the status is 0.
func fetch(t *testing.T, method, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// site is a folder with a configuration and documents.
type site struct {
	t      *testing.T
	folder string
	config string
}

// siteConfig has two verbs: the folder, and how long a document's URLs are valid.
const siteConfig = `listen: 127.0.0.1:0
admin: 127.0.0.1:0
routes:
  - path: /jobs/{jobId}
    document: file://%s/documents/{jobId}.json
    expires: %s
drain: {delay: 0s}
`

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, folder: t.TempDir()}
	if err := os.Mkdir(filepath.Join(s.folder, "documents"), 0o755); err != nil {
		t.Fatal(err)
	}
	gatetest.WriteFile(t, s.folder, "documents/v7.json", `{"url": "${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/firmware/v7.bin}"}`)
	s.configure("10m")
	return s
}

func (s *site) configure(expires string) {
	s.config = gatetest.WriteFile(s.t, s.folder, "jobgate.yaml", fmt.Sprintf(siteConfig, s.folder, expires))
}

// expires returns how long the URL in the document that the gateway serves is valid.
func (s *site) expires(d *gatetest.Process) string {
	status, body := fetch(s.t, "GET", "http://"+d.Address("listen")+"/jobs/v7")
	if status != 200 {
		return fmt.Sprint(status, " ", body)
	}
	_, raw, _ := strings.Cut(body, `"url": "`)
	raw, _, _ = strings.Cut(raw, `"`)
	return verify(s.t, "GET", raw).Expires.String()
}

// TestServe runs a gateway from start to exit: documents, health, successful and refused reloads.
func TestServe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := startDaemon(t, testAWS, "serve", "--config", s.config, "--log-level", "info")
	admin := "http://" + d.Address("admin")
	awaitText(t, func() string { return s.expires(d) }, "10m0s")

	if r := jobgate(t, "", nil, "health", "--address", d.Address("admin")); r.code != 0 || r.out != "ok\n" {
		t.Errorf("health: %+v", r)
	}
	if r := jobgate(t, "", nil, "health", "--ready", "--address", d.Address("admin")); r.code != 0 || !strings.Contains(r.out, `"ready":true`) {
		t.Errorf("health --ready: %+v", r)
	}
	if _, body := fetch(t, "GET", admin+"/config"); !strings.Contains(body, "expires: 10m  # "+s.config+":6:14\n") {
		t.Errorf("/config: %s", body)
	}
	if _, body := fetch(t, "GET", admin+"/metrics"); !strings.Contains(body, "jobgate_config_last_reload_successful 1") {
		t.Errorf("/metrics: %s", body)
	}

	// The gateway watches the file and reloads when it changes.
	s.configure("11m")
	awaitText(t, func() string { return s.expires(d) }, "11m0s")

	// An invalid file leaves the running configuration in place, and the answer says why.
	s.configure("11days")
	if status, body := fetch(t, "POST", admin+"/-/reload"); status != 400 || !strings.Contains(body, `routes[0].expires: \"11days\" is not a duration`) {
		t.Errorf("reload of an invalid file: %d %s", status, body)
	}
	if got := s.expires(d); got != "11m0s" {
		t.Errorf("after an invalid file: %s", got)
	}
	if _, body := fetch(t, "GET", admin+"/metrics"); !strings.Contains(body, "jobgate_config_last_reload_successful 0") {
		t.Error("/metrics does not say that the reload failed")
	}

	// SIGHUP reloads. A change that needs a restart is refused.
	s.configure("12m")
	d.Signal(syscall.SIGHUP)
	awaitText(t, func() string { return s.expires(d) }, "12m0s")
	gatetest.WriteFile(t, s.folder, "jobgate.yaml", strings.Replace(fmt.Sprintf(siteConfig, s.folder, "13m"), "admin: 127.0.0.1:0", "admin: 127.0.0.2:0", 1))
	if status, body := fetch(t, "POST", admin+"/-/reload"); status != 400 || !strings.Contains(body, "cannot reload: admin changed, which needs a restart; nothing was changed") {
		t.Errorf("reload with another admin: %d %s", status, body)
	}
	if got := s.expires(d); got != "12m0s" {
		t.Errorf("after a refused reload: %s", got)
	}

	d.Signal(syscall.SIGTERM)
	if code := d.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if r := jobgate(t, "", nil, "health", "--address", strings.TrimPrefix(admin, "http://")); r.code != 1 || !strings.HasPrefix(r.err, "jobgate: the gateway does not answer: ") {
		t.Errorf("health of a stopped gateway: %+v", r)
	}
	if strings.Contains(d.Log.String(), "s3cret") || strings.Contains(d.Log.String(), "X-Amz-Signature") {
		t.Error("the log contains a secret")
	}
}

// TestConfigMap: the gateway reloads when a symbolic link changes, which is how Kubernetes updates a mounted ConfigMap.
func TestConfigMap(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mount := t.TempDir()
	for i, expires := range []string{"10m", "20m"} {
		version := filepath.Join(mount, fmt.Sprint("..version", i))
		if err := os.Mkdir(version, 0o755); err != nil {
			t.Fatal(err)
		}
		gatetest.WriteFile(t, version, "jobgate.yaml", fmt.Sprintf(siteConfig, s.folder, expires))
	}
	link := func(to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(mount, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(mount, "..new"), filepath.Join(mount, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	link("..version0")
	if err := os.Symlink("..data/jobgate.yaml", filepath.Join(mount, "jobgate.yaml")); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, append([]string{"JOBGATE_CONFIG=" + filepath.Join(mount, "jobgate.yaml")}, testAWS...), "serve")
	awaitText(t, func() string { return s.expires(d) }, "10m0s")
	link("..version1")
	awaitText(t, func() string { return s.expires(d) }, "20m0s")
}

// TestDrain: readyz turns 503 while the gateway still serves, and a second signal ends it at once.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := startDaemon(t, testAWS, "serve", "--config", s.config, "--set", "drain.delay=1m")
	admin := "http://" + d.Address("admin")
	awaitText(t, func() string { return s.expires(d) }, "10m0s")
	d.Signal(syscall.SIGTERM)
	awaitText(t, func() string { _, body := fetch(t, "GET", admin+"/readyz"); return body }, `"draining":true`)
	if got := s.expires(d); got != "10m0s" {
		t.Errorf("while draining: %s", got)
	}
	if r := jobgate(t, "", nil, "health", "--ready", "--address", d.Address("admin")); r.code != 1 || !strings.Contains(r.err, "answered 503") {
		t.Errorf("health --ready: %+v", r)
	}
	d.Signal(syscall.SIGTERM)
	if code := d.Wait(); code != 1 {
		t.Errorf("exit %d after the second signal", code)
	}
}

// TestServeFaults pins the error messages of failed starts.
func TestServeFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	f := func(want string, args ...string) {
		t.Helper()
		if r := jobgate(t, "", testAWS, append([]string{"serve"}, args...)...); r.code != 1 || !strings.Contains(r.err, want) {
			t.Errorf("%v: exit %d %s, want %s", args, r.code, r.err, want)
		}
	}
	f("jobgate: cannot read the configuration: open none.yaml: no such file or directory\n", "--config", "none.yaml")
	f(`jobgate: flag --listen: listen: "8080" is not an address; allowed: host:port or :port`, "--config", s.config, "--listen", "8080")
	f("jobgate: cannot bind listen ", "--config", s.config, "--listen", strings.TrimPrefix(taken.URL, "http://"))
	sidecar := gatetest.WriteFile(t, s.folder, "sidecar.yaml", "listen: ''\nadmin: ''\nsidecar: 127.0.0.1:0\npresign: {allow: ['arn:aws:s3:::firmware/*']}\n")
	short := gatetest.WriteFile(t, s.folder, "token", "secret\n")
	f("jobgate: cannot read sidecar_token_file: open none: no such file or directory\n", "--config", sidecar, "--set", "sidecar_token_file=none")
	f(fmt.Sprintf("jobgate: cannot use sidecar_token_file %q: it holds 6 bytes, at least 16 are needed\n", short), "--config", sidecar, "--set", "sidecar_token_file="+short)
}

// TestServeAssumesRole runs a gateway that reads templates from S3 and signs with an assumed role, by the AWS settings of
// the environment. The store verifies every signature.
func TestServeAssumesRole(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"firmware/v7.bin": "firmware", "jobs/v7.json": `{"url": "${aws:iot:s3-presigned-url-v2:STORE/firmware/v7.bin}"}`,
	} {
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		gatetest.WriteFile(t, folder, name, text)
	}
	store, err := objectstore.New(objectstore.Config{Folder: folder, Owner: testKeys})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	gatetest.WriteFile(t, folder, "jobs/v7.json", `{"url": "${aws:iot:s3-presigned-url-v2:`+server.URL+`/firmware/v7.bin}"}`)
	config := gatetest.WriteFile(t, t.TempDir(), "jobgate.yaml", `listen: 127.0.0.1:0
admin: 127.0.0.1:0
sidecar: 127.0.0.1:0
routes:
  - {path: "/jobs/{jobId}", document: "s3://jobs/{jobId}.json"}
roles:
  download: {arn: "arn:aws:iam::123456789012:role/download", allow: ["arn:aws:s3:::firmware/*"]}
presign: {role: download}
cache: {role: download}
drain: {delay: 0s}
`)
	env := append([]string{"AWS_ENDPOINT_URL_S3=" + server.URL, "AWS_ENDPOINT_URL_STS=" + server.URL}, testAWS...)
	d := startDaemon(t, env, "serve", "--config", config)
	var body string
	awaitText(t, func() string {
		_, body = fetch(t, "GET", "http://"+d.Address("listen")+"/jobs/v7")
		return body
	}, "X-Amz-Security-Token=")
	_, raw, _ := strings.Cut(body, `"url": "`)
	raw, _, _ = strings.Cut(raw, `"`)
	if status, file := fetch(t, "GET", raw); status != 200 || file != "firmware" {
		t.Errorf("the file: %d %s", status, file)
	}
	resp, err := http.Post("http://"+d.Address("sidecar")+"/render", "application/json", strings.NewReader(`["${aws:iot:s3-presigned-url-v2:`+server.URL+`/firmware/v7.bin}"]`))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	filled, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("sidecar: %d %v %s", resp.StatusCode, err, filled)
	}
	if status, file := fetch(t, "GET", strings.Trim(string(filled), `[]"`)); status != 200 || file != "firmware" {
		t.Errorf("the sidecar's file: %d %s", status, file)
	}
	r := jobgate(t, "", env, "presign", "--config", config, "--expires", "2h", server.URL+"/firmware/v7.bin")
	if status, file := fetch(t, "GET", strings.TrimSpace(r.out)); status != 200 || file != "firmware" {
		t.Errorf("presign: %+v: %d %s", r, status, file)
	}
	if u, err := url.Parse(strings.TrimSpace(r.out)); err != nil || u.Query().Get("X-Amz-Expires") != "7200" || u.Query().Get("X-Amz-Credential")[:4] != "ASIA" {
		t.Errorf("presign: %s", r.out)
	}
}
