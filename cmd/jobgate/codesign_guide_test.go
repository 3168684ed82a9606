package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jobgate/gateway/servertest"
	"jobgate/presigner/miniotest"
)

// TestCodeSignGuide runs the steps of CODESIGN.md in a shell: from a bucket to a device that verifies its download.
func TestCodeSignGuide(t *testing.T) {
	t.Parallel()
	requirePrograms(t, "curl", "aws", "openssl", "base64")
	minio := miniotest.Start(t)
	script := guide(t)
	folder := t.TempDir()
	bucket := strings.ToLower(filepath.Base(filepath.Dir(folder))) // a new name for each run
	for from, to := range map[string]string{
		"AWS_ACCESS_KEY_ID=operator":                "AWS_ACCESS_KEY_ID=" + minio.Root.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=operator-secret-key": "AWS_SECRET_ACCESS_KEY=" + minio.Root.SecretAccessKey,
		"http://127.0.0.1:9000":                     minio.URL,
		"127.0.0.1:8080":                            servertest.FreeAddress(t),
		"127.0.0.1:8082":                            servertest.FreeAddress(t),
		"127.0.0.1:9090":                            servertest.FreeAddress(t),
		"--bucket firmware":                         "--bucket " + bucket, // the tests share a server
		":::firmware/":                              ":::" + bucket + "/",
		"/firmware/v7":                              "/" + bucket + "/v7",
		"us-east-1.firmware/":                       "us-east-1." + bucket + "/",
	} {
		if !strings.Contains(script, from) {
			t.Fatalf("the guide does not contain %q", from)
		}
		script = strings.ReplaceAll(script, from, to)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", "set -e\ntrap 'kill $! || true; wait' EXIT\n"+script)
	shell.Dir = folder
	shell.Env = []string{"PATH=" + commandNamedJobgate(t) + ":" + pathWithAWS(t), "HOME=" + folder}
	out, err := shell.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "job.json: ok (2 placeholders)\n") || !strings.Contains(string(out), "Verified OK\n") {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	if strings.Contains(string(out), "level=WARN") || strings.Contains(string(out), "level=ERROR") {
		t.Errorf("serve logs warnings or errors with the guide's configuration:\n%s", out)
	}
}

// guide returns the commands of CODESIGN.md: the content of its sh blocks.
func guide(t *testing.T) string {
	t.Helper()
	var script strings.Builder
	in := false
	for line := range strings.Lines(readExample(t, "../../gateway/codesign/CODESIGN.md")) {
		text := strings.TrimPrefix(line, "   ")
		switch {
		case text == "```sh\n":
			in = true
		case text == "```\n":
			in = false
		case in:
			script.WriteString(text)
		}
	}
	return script.String()
}

// commandNamedJobgate returns a folder that contains the built binary under the name jobgate.
func commandNamedJobgate(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Symlink(binary, filepath.Join(folder, "jobgate")); err != nil {
		t.Fatal(err)
	}
	return folder
}
