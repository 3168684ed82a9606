package logs

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/logging"

	"jobgate/cmd/jobgate/config"
)

// TestLogIsReadable: durations are not in nanoseconds, the empty role is "own credentials", and the AWS SDK logs to the
// gateway's log.
func TestLogIsReadable(t *testing.T) {
	f := func(format string, write func(*slog.Logger), want ...string) {
		t.Helper()
		var out bytes.Buffer
		write(New(&out, config.Log{Level: "debug", Format: format}, new(slog.LevelVar)))
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
	sdk := func(l *slog.Logger) { SDK{l}.Logf(logging.Warn, "Response has no %s", "checksum") }
	f("json", sdk, `"level":"WARN","msg":"AWS SDK","message":"Response has no checksum"`)
	f("text", sdk, `level=WARN msg="AWS SDK" message="Response has no checksum"`)
	f("text", func(l *slog.Logger) { SDK{l}.Logf(logging.Debug, "x") }, "level=DEBUG")
}
