// Package logs creates the loggers of the gateway and of the commands.
package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/smithy-go/logging"

	"jobgate/cmd/jobgate/config"
)

// New returns a logger for settings that writes to w. Its level is that of level, so that a reload can change it.
func New(w io.Writer, settings config.Log, level *slog.LevelVar) *slog.Logger {
	SetLevel(level, settings)
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if settings.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// readable formats durations, which JSON would show as nanoseconds, and replaces the empty role by "own credentials".
func readable(_ []string, a slog.Attr) slog.Attr {
	switch {
	case a.Value.Kind() == slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case a.Key == "role" && a.Value.Kind() == slog.KindString && a.Value.String() == "":
		a.Value = slog.StringValue("own credentials")
	}
	return a
}

// SDK adapts Log for the AWS SDK. It is safe for concurrent use.
type SDK struct{ Log *slog.Logger }

// Logf implements smithy's logging.Logger.
func (l SDK) Logf(class logging.Classification, format string, v ...any) {
	level := slog.LevelDebug
	if class == logging.Warn {
		level = slog.LevelWarn
	}
	l.Log.Log(context.Background(), level, "AWS SDK", "message", fmt.Sprintf(format, v...))
}

// SetLevel sets level to that of settings.
func SetLevel(level *slog.LevelVar, settings config.Log) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(settings.Level)); err == nil { // config allows only slog's names
		level.Set(l)
	}
}

// Warnings logs the configuration's warnings.
func Warnings(log *slog.Logger, warnings config.Faults) {
	for _, w := range warnings {
		log.Warn("configuration", "warning", w.Error())
	}
}

// ForCommand returns the logger of interactive commands: warnings, as text.
func ForCommand(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// PrintWarnings prints the configuration's warnings, for interactive commands.
func PrintWarnings(w io.Writer, warnings config.Faults) {
	for _, warning := range warnings {
		_, _ = fmt.Fprintf(w, "warning: %s\n", warning.Error())
	}
}
