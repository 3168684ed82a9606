package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/aws/smithy-go/logging"

	"jobgate/cmd/jobgate/config"
)

// newLogger makes the log of settings, to w. Its level follows level, so that a reload can change it.
func newLogger(w io.Writer, settings config.Log, level *slog.LevelVar) *slog.Logger {
	setLevel(level, settings)
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: readable}
	if settings.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// readable spells for people what JSON would show as a number of nanoseconds, and the role without a name.
func readable(_ []string, a slog.Attr) slog.Attr {
	switch {
	case a.Value.Kind() == slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().String())
	case a.Key == "role" && a.Value.Kind() == slog.KindString && a.Value.String() == "":
		a.Value = slog.StringValue("own credentials")
	}
	return a
}

// sdkLog takes what the AWS SDK logs by itself. It is safe for concurrent use.
type sdkLog struct{ log *slog.Logger }

// Logf implements smithy's logging.Logger.
func (l sdkLog) Logf(class logging.Classification, format string, v ...any) {
	level := slog.LevelDebug
	if class == logging.Warn {
		level = slog.LevelWarn
	}
	l.log.Log(context.Background(), level, "AWS SDK", "message", fmt.Sprintf(format, v...))
}

func setLevel(level *slog.LevelVar, settings config.Log) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(settings.Level)); err == nil { // config allows slog's own names only
		level.Set(l)
	}
}

// logWarnings tells what the configuration makes one think about.
func logWarnings(log *slog.Logger, warnings config.Faults) {
	for _, w := range warnings {
		log.Warn("configuration", "warning", w.Error())
	}
}

// commandLog is the log of commands that a person runs: warnings, as text.
func commandLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// printWarnings is logWarnings for commands that a person runs.
func printWarnings(w io.Writer, warnings config.Faults) {
	for _, warning := range warnings {
		_, _ = fmt.Fprintf(w, "warning: %s\n", warning.Error())
	}
}
