package main

import (
	"fmt"
	"io"
	"log/slog"

	"jobgate/cmd/jobgate/config"
)

// newLogger makes the log of settings, to w. Its level follows level, so that a reload can change it.
func newLogger(w io.Writer, settings config.Log, level *slog.LevelVar) *slog.Logger {
	setLevel(level, settings)
	o := &slog.HandlerOptions{Level: level}
	if settings.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
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

// printWarnings is logWarnings for commands that a person runs.
func printWarnings(w io.Writer, warnings config.Faults) {
	for _, warning := range warnings {
		_, _ = fmt.Fprintf(w, "warning: %s\n", warning.Error())
	}
}
