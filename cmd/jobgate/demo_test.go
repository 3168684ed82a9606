package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jobgate/gateway/servertest"
)

// anyPort are flags that let the demo listen on free ports.
var anyPort = []string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--control", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"}

func TestDemoOnce(t *testing.T) {
	t.Parallel()
	r := jobgate(t, "", nil, append([]string{"demo", "--once"}, anyPort...)...)
	if r.code != 0 || r.err != "" || !strings.Contains(r.out, "262144 bytes, SHA-256 as the document says\nits firmware.signature verifies\n") ||
		!strings.HasSuffix(r.out, "262144 bytes, the same; reported SUCCEEDED\nDescribeJob update-1: COMPLETED\n") {
		t.Errorf("exit %d: %s%s", r.code, r.out, r.err)
	}
}

// TestDemo runs the commands that the demo prints in a shell.
func TestDemo(t *testing.T) {
	t.Parallel()
	requirePrograms(t, "curl", "aws", "openssl", "mosquitto_sub", "mosquitto_rr", "mosquitto_pub")
	// AWS settings of the environment must not matter, because the demo has its own account.
	d := startDaemon(t, []string{"AWS_PROFILE=nobody", "AWS_REGION=nowhere", "JOBGATE_LISTEN=wrong"}, append([]string{"demo"}, anyPort...)...)
	text := awaitText(t, d.Out.String, "Ctrl-C ends the demo.")
	folder := t.TempDir()
	answers := paste(t, folder, text)
	f := func(command int, want ...string) {
		t.Helper()
		for _, w := range want {
			if len(answers) <= command || !strings.Contains(answers[command], w) {
				t.Fatalf("answer %d of %q does not contain %q; the demo printed\n%s", command, answers, w, text)
			}
		}
	}
	f(0, `"url": "http://127.0.0.1:`, "/device-logs/sensor-1/install-v7.log?")
	f(1, "200, 262144 bytes\n")
	f(3, "Verified OK\n")
	f(4) // the export
	f(5, `"thingName": "sensor-1"`)
	f(6, `"jobId": "update-1"`)
	f(7, `{"operation":"install","url":"http://127.0.0.1:`, "/firmware/v7.bin?", "X-Amz-Signature=")
	f(8, "200, 262144 bytes\n")
	f(9)
	f(10, `"COMPLETED"`)
	f(11) // a device waits
	f(12, `"jobId": "update-2"`)
	f(13, `"execution":{"jobId":"update-2"`, `"jobDocument":{"operation":"install","url":"http://127.0.0.1:`, "X-Amz-Signature=")
	f(14, `"status":"IN_PROGRESS"`)
	f(15)
	f(16, `"COMPLETED"`)
	if info, err := os.Stat(filepath.Join(folder, "v7.bin")); err != nil || info.Size() != 262144 {
		t.Errorf("v7.bin: %v %v", info, err)
	}
	_, after, _ := strings.Cut(text, "operators     ")
	metrics, _, _ := strings.Cut(after, "  ")
	if _, body := fetch(t, "GET", strings.TrimSpace(metrics)); !strings.Contains(body, `jobgate_sts_requests_total{outcome="ok",role="download"} 1`) ||
		!strings.Contains(body, `jobgate_job_executions{status="SUCCEEDED"} 2`) {
		t.Errorf("%s:\n%s", metrics, body)
	}
	d.Signal(syscall.SIGINT)
	if code := d.Wait(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if left, _ := filepath.Glob(filepath.Join(d.Cmd.Dir, "jobgate-demo-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// paste runs the commands in text, its lines that are indented by five spaces, in one shell, and returns what each
// printed.
func paste(t *testing.T, folder, text string) []string {
	t.Helper()
	const end = "=== end of a command ==="
	script := "set -e\n"
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(line, "     ")
		if !ok {
			continue
		}
		script += command
		if !strings.HasSuffix(command, "\\\n") {
			script += "echo '" + end + "'\n"
		}
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", script)
	shell.Dir = folder
	shell.Env = []string{"PATH=" + pathWithAWS(t), "HOME=" + folder, "AWS_SESSION_TOKEN=another", "AWS_REGION=eu-west-9"}
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), end+"\n"), end+"\n")
}

// packages maps a program to the Debian package that contains it.
var packages = map[string]string{
	"curl": "curl", "aws": "awscli", "openssl": "openssl", "base64": "coreutils",
	"mosquitto_sub": "mosquitto-clients", "mosquitto_rr": "mosquitto-clients", "mosquitto_pub": "mosquitto-clients",
}

// requirePrograms skips the test if this machine lacks a program; see servertest.Program.
func requirePrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		servertest.Program(t, name, packages[name])
	}
}
