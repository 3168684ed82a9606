package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/smithy-go/logging"

	"jobgate/cmd/jobgate/config"
)

// TestLogIsReadable: no durations in nanoseconds, no role without a name, and the AWS SDK's lines are lines of the log.
func TestLogIsReadable(t *testing.T) {
	f := func(format string, write func(*slog.Logger), want ...string) {
		t.Helper()
		var out bytes.Buffer
		write(newLogger(&out, config.Log{Level: "debug", Format: format}, new(slog.LevelVar)))
		if format == "json" && !json.Valid(out.Bytes()) {
			t.Errorf("not JSON: %s", out.String())
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s is not in %s", w, out.String())
			}
		}
	}
	took := func(l *slog.Logger) {
		l.Info("x", "took", 250*time.Millisecond, "role", "", slog.Group("g", "wait", time.Minute))
	}
	f("json", took, `"took":"250ms"`, `"role":"own credentials"`, `"wait":"1m0s"`)
	f("text", took, "took=250ms", `role="own credentials"`)
	f("json", func(l *slog.Logger) { l.Info("x", "role", "down") }, `"role":"down"`)
	sdk := func(l *slog.Logger) { sdkLog{l}.Logf(logging.Warn, "Response has no %s", "checksum") }
	f("json", sdk, `"level":"WARN","msg":"AWS SDK","message":"Response has no checksum"`)
	f("text", sdk, `level=WARN msg="AWS SDK" message="Response has no checksum"`)
	f("text", func(l *slog.Logger) { sdkLog{l}.Logf(logging.Debug, "x") }, "level=DEBUG")
}

// TestStartAndStopAreLogged: an operator sees in the log that the gateway has ended, and that devices are sent elsewhere
// than where templates come from.
func TestStartAndStopAreLogged(t *testing.T) {
	s := newSite(t)
	f := func(env []string, endpoint, want string, warned bool) {
		t.Helper()
		d := startDaemon(t, append(env, testAWS...), "serve", "--config", s.config, "--set", "presign.endpoint="+endpoint)
		d.address("listen")
		if got := strings.Contains(d.log.String(), "presign.endpoint: is not set, and AWS_ENDPOINT_URL_S3 is"); got != warned {
			t.Errorf("%v %q: warned %v\n%s", env, endpoint, got, d.log)
		}
		d.signal(syscall.SIGTERM)
		if code := d.wait(); code != 0 || !strings.HasSuffix(d.log.String(), want) {
			t.Errorf("exit %d\n%s", code, d.log)
		}
	}
	store := []string{"AWS_ENDPOINT_URL_S3=http://127.0.0.1:9"}
	f(store, "", "msg=stopped\n", true)
	f(store, "http://127.0.0.1:9", "msg=stopped\n", false)
	f(nil, "", "msg=stopped\n", false)
}
