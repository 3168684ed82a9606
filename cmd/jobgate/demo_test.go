package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestDemoOnce(t *testing.T) {
	r := jobgate(t, "", nil, "demo", "--once", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	if r.code != 0 || r.err != "" || !strings.HasSuffix(r.out, "262144 bytes, SHA-256 as the document says\n") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
}

// TestDemo pastes what the demo prints into a shell.
func TestDemo(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("JOBGATE_TEST_REQUIRE_SERVERS") != "" {
			t.Fatal("there is no curl on this machine")
		}
		t.Skip("there is no curl on this machine; TestDemoOnce does the same without")
	}
	// A home in AWS must not matter: the demo has an account of its own.
	d := startDaemon(t, []string{"AWS_PROFILE=nobody", "AWS_REGION=nowhere", "JOBGATE_LISTEN=wrong"}, "demo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	text := eventually(t, d.out.String, "Ctrl-C ends the demo.")
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 2 {
		t.Fatalf("%d curl lines in\n%s", len(lines), text)
	}
	folder := t.TempDir()
	shell := func(line string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "sh", "-c", line)
		c.Dir = folder
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		return string(out)
	}
	if out := shell(lines[0]); !strings.Contains(out, `"url": "http://127.0.0.1:`) || !strings.Contains(out, "/device-logs/sensor-1/install-v7.log?") {
		t.Errorf("document: %s", out)
	}
	if out := shell(lines[1]); out != "200, 262144 bytes\n" {
		t.Errorf("download: %s", out)
	}
	if info, err := os.Stat(filepath.Join(folder, "v7.bin")); err != nil || info.Size() != 262144 {
		t.Errorf("v7.bin: %v %v", info, err)
	}
	_, after, _ := strings.Cut(text, "operators     ")
	metrics, _, _ := strings.Cut(after, "  ")
	if _, body := fetch(t, "GET", strings.TrimSpace(metrics)); !strings.Contains(body, `jobgate_sts_requests_total{outcome="ok",role="download"} 1`) {
		t.Errorf("%s:\n%s", metrics, body)
	}
	d.signal(syscall.SIGINT)
	if code := d.wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if left, _ := filepath.Glob(filepath.Join(d.cmd.Dir, "jobgate-demo-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
