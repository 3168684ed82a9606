package api

import (
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/wire"
)

// The data plane's answers are written by package wire, as MQTT's are.

func appendString(dst []byte, s string) []byte { return wire.AppendString(dst, s) }

func appendExecution(dst []byte, e *jobs.Execution, now time.Time) []byte {
	return wire.AppendExecution(dst, e, now)
}

func appendState(dst []byte, e *jobs.Execution) []byte { return wire.AppendState(dst, e) }

func appendSummaries(dst []byte, list []jobs.Execution) []byte {
	return wire.AppendSummaries(dst, list)
}

func encode(v any) ([]byte, error) { return wire.Encode(v) }
